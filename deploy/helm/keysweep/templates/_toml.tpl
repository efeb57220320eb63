{{/*
Values as TOML. Helm's own toToml writes every number of a values file as a float (50 becomes 50.0), which a count of
keys must not be. Texts and numbers are the same in JSON and in TOML.
*/}}
{{- define "keysweep.toml.key" -}}
{{- if regexMatch "^[A-Za-z0-9_-]+$" . }}{{ . }}{{ else }}{{ toRawJson . }}{{ end }}
{{- end }}

{{/* A value on one line. */}}
{{- define "keysweep.toml.value" -}}
{{- if kindIs "map" . }}
{{- $pairs := list }}
{{- range $key, $value := . }}
{{- if not (kindIs "invalid" $value) }}
{{- $pairs = append $pairs (printf "%s = %s" (include "keysweep.toml.key" $key) (include "keysweep.toml.value" $value)) }}
{{- end }}
{{- end }}
{{- printf "{ %s }" (join ", " $pairs) }}
{{- else if kindIs "slice" . }}
{{- $items := list }}
{{- range . }}
{{- $items = append $items (include "keysweep.toml.value" .) }}
{{- end }}
{{- printf "[%s]" (join ", " $items) }}
{{- else }}
{{- toRawJson . }}
{{- end }}
{{- end }}

{{/* A table with what is below it. Takes its path, empty at the top, and its values. */}}
{{- define "keysweep.toml.table" -}}
{{- $path := .path }}
{{- $lists := dict }}
{{- $tables := dict }}
{{- range $key, $value := .table }}
{{- if kindIs "invalid" $value }}
{{- else if kindIs "map" $value }}
{{- $_ := set $tables $key $value }}
{{- else if and (kindIs "slice" $value) (kindIs "map" (first $value)) }}
{{- $_ := set $lists $key $value }}
{{- else }}
{{ include "keysweep.toml.key" $key }} = {{ include "keysweep.toml.value" $value }}
{{- end }}
{{- end }}
{{- range $key, $value := $tables }}
{{- $name := printf "%s%s" $path (include "keysweep.toml.key" $key) }}

[{{ $name }}]
{{- include "keysweep.toml.table" (dict "path" (printf "%s." $name) "table" $value) }}
{{- end }}
{{- range $key, $entries := $lists }}
{{- range $entries }}

[[{{ $path }}{{ include "keysweep.toml.key" $key }}]]
{{- range $inner, $value := . }}
{{- if not (kindIs "invalid" $value) }}
{{ include "keysweep.toml.key" $inner }} = {{ include "keysweep.toml.value" $value }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* keysweep.toml: `config`, with what follows from `ingress`. */}}
{{- define "keysweep.toml" -}}
{{- $http := deepCopy (default (dict) (get .Values.config "http")) }}
{{- with include "keysweep.publicUrl" . }}
{{- $_ := set $http "public_url" . }}
{{- end }}
{{- with .Values.ingress.trustedProxies }}
{{- $_ := set $http "trusted_proxies" . }}
{{- end }}
{{- $config := omit .Values.config "http" }}
{{- if $http }}
{{- $_ := set $config "http" $http }}
{{- end }}
# Made from the values of the Helm chart. Whatever is not here has its default: see `keysweep config show`.
{{ include "keysweep.toml.table" (dict "path" "" "table" $config) | trim }}
{{- end }}
