{{/* The endpoint of a PodMonitor and of a ServiceMonitor. Takes the root and the values of that object. */}}
{{- define "keysweep.endpoint" -}}
{{- $scheme := include "keysweep.scheme" .root }}
{{- $host := include "keysweep.publicHost" .root }}
{{- with .values }}
port: {{ $scheme }}
path: /metrics
scheme: {{ $scheme }}
{{- if eq $scheme "https" }}
{{- $tls := deepCopy .tlsConfig }}
{{- if and $host (not (hasKey $tls "serverName")) }}
{{- $_ := set $tls "serverName" $host }}
{{- end }}
{{- with $tls }}
tlsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
interval: {{ .interval }}
scrapeTimeout: {{ .scrapeTimeout }}
relabelings:
  # Alerts and dashboards ask for this job.
  - targetLabel: job
    replacement: keysweep
    action: replace
  # An address would be another after each start, and every series with it.
  - sourceLabels: [__meta_kubernetes_namespace, __meta_kubernetes_pod_name]
    separator: /
    targetLabel: instance
    action: replace
  {{- with .relabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{/* Metadata of what other programs look for, by labels and perhaps in another namespace. Takes the root and the values
of that object. */}}
{{- define "keysweep.metadata" -}}
name: {{ include "keysweep.fullname" .root }}
namespace: {{ default .root.Release.Namespace .values.namespace }}
labels:
  {{- include "keysweep.labels" .root | nindent 2 }}
  {{- with .values.labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .values.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
