{{/* What the schema cannot say, or not in words. Every mistake is told at once. */}}
{{- define "keysweep.validate" -}}
{{- if not (.Files.Glob "files/*/*") }}
{{- fail "this folder lacks the rules and dashboards: run `cargo xtask chart`, and use target/chart/keysweep" }}
{{- end }}
{{- $wrong := list }}
{{- with .Values }}
{{- if and (eq .aws.credentials "irsa") (not .aws.roleArn) (not (get .serviceAccount.annotations "eks.amazonaws.com/role-arn")) .serviceAccount.create }}
{{- $wrong = append $wrong "aws.roleArn: needed with aws.credentials \"irsa\": the ARN of the hub's role" }}
{{- end }}
{{- if and .aws.roleArn (ne .aws.credentials "irsa") }}
{{- $wrong = append $wrong (printf "aws.roleArn: only \"irsa\" reads it, and aws.credentials is %q" .aws.credentials) }}
{{- end }}
{{- if and .aws.roleArn (not .serviceAccount.create) }}
{{- $wrong = append $wrong "aws.roleArn: serviceAccount.create is false: annotate your service account with it" }}
{{- end }}
{{- if and .existingConfigMap (ne (toJson .config) "{\"policy\":{\"mode\":\"observe\"}}") }}
{{- $wrong = append $wrong "existingConfigMap: the file comes from it or from config, not from both" }}
{{- end }}
{{- if and .podMonitor.enabled .serviceMonitor.enabled }}
{{- $wrong = append $wrong "serviceMonitor.enabled: podMonitor.enabled is true, and both would scrape the same pod" }}
{{- end }}
{{- $http := default (dict) (get .config "http") }}
{{- $oidc := default (dict) (get $http "oidc") }}
{{- if .ingress.enabled }}
{{- if not .ingress.host }}
{{- $wrong = append $wrong "ingress.host: needed with ingress.enabled: the name under which people reach keysweep" }}
{{- else if and (include "keysweep.publicUrl" $) (ne (include "keysweep.publicHost" $) .ingress.host) }}
{{- $wrong = append $wrong (printf "config.http.public_url: names %q, and ingress.host is %q: keysweep accepts requests for the first only" (include "keysweep.publicHost" $) .ingress.host) }}
{{- end }}
{{- if not (or .existingConfigMap .ingress.trustedProxies (get $http "trusted_proxies") (eq (include "keysweep.scheme" $) "https")) }}
{{- $wrong = append $wrong "ingress.trustedProxies: needed with ingress.enabled, unless config.http.tls is set: the addresses of the controller's pods. Without either, keysweep accepts no login and no token over the network" }}
{{- end }}
{{- if and .networkPolicy.enabled (not .networkPolicy.proxyFrom) (not .networkPolicy.extraIngress) }}
{{- $wrong = append $wrong "networkPolicy.proxyFrom: needed with ingress.enabled: the pods of the controller, which cannot reach keysweep otherwise" }}
{{- end }}
{{- end }}
{{- if .ingress.trustedProxies }}
{{- if not .ingress.enabled }}
{{- $wrong = append $wrong "ingress.trustedProxies: ingress.enabled is false: set config.http.trusted_proxies for a proxy of your own" }}
{{- else if .existingConfigMap }}
{{- $wrong = append $wrong "ingress.trustedProxies: your ConfigMap sets http.trusted_proxies" }}
{{- else if get $http "trusted_proxies" }}
{{- $wrong = append $wrong "ingress.trustedProxies: config.http.trusted_proxies is set, too: remove one of them" }}
{{- end }}
{{- end }}
{{- if .oidcClientSecret.existingSecret }}
{{- if get $oidc "client_secret_file" }}
{{- $wrong = append $wrong "oidcClientSecret.existingSecret: config.http.oidc.client_secret_file is set, too: remove one of them" }}
{{- else if not (or .existingConfigMap (get $oidc "issuer")) }}
{{- $wrong = append $wrong "oidcClientSecret.existingSecret: config.http.oidc names no issuer, so that nothing reads it" }}
{{- end }}
{{- end }}
{{- if and .maintenance.args (not .persistence.enabled) }}
{{- $wrong = append $wrong "maintenance.args: persistence.enabled is false, so that there is nothing to work on" }}
{{- end }}
{{- if eq (default "" (first .maintenance.args)) "run" }}
{{- $wrong = append $wrong "maintenance.args: `run` is the daemon, which runs as long as this is empty" }}
{{- end }}
{{- if and .persistence.existingClaim (not .persistence.enabled) }}
{{- $wrong = append $wrong "persistence.existingClaim: persistence.enabled is false" }}
{{- end }}
{{- if and (not .persistence.enabled) (has (include "keysweep.mode" $) (list "deactivate" "delete")) }}
{{- $wrong = append $wrong "persistence.enabled: only the mode \"observe\" is admitted without it: each new pod would forget holds, denials, caps and the audit trail" }}
{{- end }}
{{- end }}
{{- if $wrong }}
{{- fail (printf "\n  %s" (join "\n  " $wrong)) }}
{{- end }}
{{- end }}
