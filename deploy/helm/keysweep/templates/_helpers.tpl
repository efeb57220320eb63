{{- define "keysweep.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The pod is called after it, with "-0"; a StatefulSet's label of the revision takes eleven characters more. */}}
{{- define "keysweep.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if .Values.fullnameOverride }}
{{- $name = .Values.fullnameOverride }}
{{- else if contains $name .Release.Name }}
{{- $name = .Release.Name }}
{{- else }}
{{- $name = printf "%s-%s" .Release.Name $name }}
{{- end }}
{{- $name | trunc 52 | trimSuffix "-" }}
{{- end }}

{{/* What never changes during the life of a release. */}}
{{- define "keysweep.selectorLabels" -}}
app.kubernetes.io/name: {{ include "keysweep.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Of every object, but neither of the pod, which should not start anew with each version of the chart, nor of its
claim, which cannot be changed. */}}
{{- define "keysweep.labels" -}}
{{ include "keysweep.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "keysweep.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "keysweep.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "keysweep.image" -}}
{{- with .Values.image }}
{{- .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end }}
{{- end }}

{{- define "keysweep.configMapName" -}}
{{- default (include "keysweep.fullname" .) .Values.existingConfigMap }}
{{- end }}

{{/* What of the Pod Security Standard "restricted" belongs to the pod. */}}
{{- define "keysweep.podSecurityContext" -}}
runAsNonRoot: true
{{- range $key := list "runAsUser" "runAsGroup" "fsGroup" "fsGroupChangePolicy" }}
{{- $value := get $.Values.podSecurityContext $key }}
{{- if $value }}
{{ $key }}: {{ if kindIs "string" $value }}{{ $value }}{{ else }}{{ int64 $value }}{{ end }}
{{- end }}
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* And what belongs to each container. */}}
{{- define "keysweep.containerSecurityContext" -}}
allowPrivilegeEscalation: false
capabilities:
  drop:
    - ALL
readOnlyRootFilesystem: true
{{- end }}

{{/* Environment that belongs to the configuration; the hook that checks it has the same. */}}
{{- define "keysweep.configEnv" -}}
# The image listens on all IPv4 addresses by this variable, which wins over the file.
- name: KEYSWEEP__HTTP__LISTEN
  value: {{ printf "%s:%d" .Values.http.address (int64 .Values.http.port) | quote }}
{{- if .Values.externalId.existingSecret }}
- name: KEYSWEEP__ROLE__EXTERNAL_ID_FILE
  value: /run/secrets/keysweep/external-id
{{- end }}
{{- if .Values.signingKey.existingSecret }}
- name: KEYSWEEP__EVIDENCE__SIGNING_KEY_FILE
  value: /run/secrets/keysweep-signing/signing.pem
{{- end }}
{{- if .Values.oidcClientSecret.existingSecret }}
- name: KEYSWEEP__HTTP__OIDC__CLIENT_SECRET_FILE
  value: /run/secrets/keysweep-oidc/client-secret
{{- end }}
{{- end }}

{{- define "keysweep.configMounts" -}}
# Whole folders: a mounted subPath would never see a change.
- name: config
  mountPath: /etc/keysweep
  readOnly: true
{{- if .Values.externalId.existingSecret }}
- name: external-id
  mountPath: /run/secrets/keysweep
  readOnly: true
{{- end }}
{{- if .Values.signingKey.existingSecret }}
- name: signing-key
  mountPath: /run/secrets/keysweep-signing
  readOnly: true
{{- end }}
{{- if .Values.oidcClientSecret.existingSecret }}
- name: oidc-client-secret
  mountPath: /run/secrets/keysweep-oidc
  readOnly: true
{{- end }}
{{- if .Values.noticeSecrets.existingSecret }}
- name: notice-secrets
  mountPath: /run/secrets/keysweep-notices
  readOnly: true
{{- end }}
{{- end }}

{{/* With the ConfigMap's name, as the hook has one of its own. */}}
{{- define "keysweep.configVolumes" -}}
- name: config
  configMap:
    name: {{ .configMap }}
{{- with .root.Values.externalId }}
{{- if .existingSecret }}
- name: external-id
  secret:
    secretName: {{ .existingSecret }}
    # Readable by fsGroup.
    defaultMode: 0440
    items:
      - key: {{ .key | quote }}
        path: external-id
{{- end }}
{{- end }}
{{- with .root.Values.signingKey }}
{{- if .existingSecret }}
- name: signing-key
  secret:
    secretName: {{ .existingSecret }}
    # Readable by fsGroup.
    defaultMode: 0440
    items:
      - key: {{ .key | quote }}
        path: signing.pem
{{- end }}
{{- end }}
{{- with .root.Values.oidcClientSecret }}
{{- if .existingSecret }}
- name: oidc-client-secret
  secret:
    secretName: {{ .existingSecret }}
    # Readable by fsGroup.
    defaultMode: 0440
    items:
      - key: {{ .key | quote }}
        path: client-secret
{{- end }}
{{- end }}
{{- with .root.Values.noticeSecrets.existingSecret }}
- name: notice-secrets
  secret:
    secretName: {{ . }}
    # Readable by fsGroup.
    defaultMode: 0440
{{- end }}
{{- end }}

{{/* Where people reach keysweep; empty if the chart does not know. */}}
{{- define "keysweep.publicUrl" -}}
{{- $http := default (dict) (get .Values.config "http") }}
{{- if get $http "public_url" }}
{{- trimSuffix "/" (get $http "public_url") }}
{{- else if and .Values.ingress.enabled .Values.ingress.host (not .Values.existingConfigMap) }}
{{- printf "https://%s" .Values.ingress.host }}
{{- end }}
{{- end }}

{{/* Its host, without a port. */}}
{{- define "keysweep.publicHost" -}}
{{- regexReplaceAll ":[0-9]+$" (include "keysweep.publicUrl" . | trimPrefix "https://") "" }}
{{- end }}

{{/* The scheme on the port, after which the port is named: some controllers choose TLS by this name. */}}
{{- define "keysweep.scheme" -}}
{{- $http := default (dict) (get .Values.config "http") }}
{{- $tls := default (dict) (get $http "tls") }}
{{- default (ternary "https" "http" (not (empty (get $tls "cert_file")))) .Values.http.scheme }}
{{- end }}

{{/* The port of the mail server; empty without one. 0 stands for the usual port of the encryption, as in keysweep. */}}
{{- define "keysweep.smtpPort" -}}
{{- $notices := default (dict) (get .Values.config "notices") }}
{{- $email := default (dict) (get $notices "email") }}
{{- if get $email "host" }}
{{- $ports := dict "tls" 465 "starttls" 587 "none" 25 }}
{{- $usual := get $ports (default "starttls" (get $email "security")) }}
{{- int64 (default $usual (get $email "port")) }}
{{- end }}
{{- end }}

{{/* The strongest mode that the configuration gives any key; empty where it cannot be told. */}}
{{- define "keysweep.mode" -}}
{{- if not .Values.existingConfigMap }}
{{- $policy := default (dict) (get .Values.config "policy") }}
{{- $modes := list (default "observe" (get $policy "mode")) }}
{{- range $policy.override }}
{{- $modes = append $modes (default "observe" (get . "mode")) }}
{{- end }}
{{- if has "delete" $modes }}delete{{ else if has "deactivate" $modes }}deactivate{{ else }}observe{{ end }}
{{- end }}
{{- end }}
