{{/* The pod of the daemon, or of another command in its place: `root`, and the `args` of keysweep. */}}
{{- define "keysweep.podSpec" -}}
{{- $root := .root }}
{{- $daemon := eq (first .args) "run" }}
{{- $scheme := include "keysweep.scheme" $root }}
serviceAccountName: {{ include "keysweep.serviceAccountName" $root }}
automountServiceAccountToken: false
# A service named keysweep would give variables that look like configuration.
enableServiceLinks: false
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $root.Values.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
terminationGracePeriodSeconds: {{ $root.Values.terminationGracePeriodSeconds }}
securityContext:
  {{- include "keysweep.podSecurityContext" $root | nindent 2 }}
containers:
  - name: keysweep
    image: {{ include "keysweep.image" $root }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    args:
      {{- toYaml .args | nindent 6 }}
    env:
      {{- include "keysweep.configEnv" $root | nindent 6 }}
      {{- if has $root.Values.aws.credentials (list "pod-identity" "irsa") }}
      # Without the credentials that are meant, the node's own must not be taken.
      - name: AWS_EC2_METADATA_DISABLED
        value: "true"
      {{- end }}
      {{- with $root.Values.extraEnv }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- if $daemon }}
    ports:
      - name: {{ $scheme }}
        containerPort: {{ $root.Values.http.port }}
        protocol: TCP
    # Connections are taken before data_dir is open, and answered after it.
    startupProbe:
      httpGet:
        path: /-/healthy
        port: {{ $scheme }}
        {{- if eq $scheme "https" }}
        scheme: HTTPS
        {{- end }}
      {{- toYaml $root.Values.startupProbe | nindent 6 }}
    livenessProbe:
      httpGet:
        path: /-/healthy
        port: {{ $scheme }}
        {{- if eq $scheme "https" }}
        scheme: HTTPS
        {{- end }}
      {{- toYaml $root.Values.livenessProbe | nindent 6 }}
    readinessProbe:
      httpGet:
        path: /-/ready
        port: {{ $scheme }}
        {{- if eq $scheme "https" }}
        scheme: HTTPS
        {{- end }}
      {{- toYaml $root.Values.readinessProbe | nindent 6 }}
    {{- end }}
    resources:
      {{- toYaml $root.Values.resources | nindent 6 }}
    securityContext:
      {{- include "keysweep.containerSecurityContext" $root | nindent 6 }}
    volumeMounts:
      {{- include "keysweep.configMounts" $root | nindent 6 }}
      - name: data
        mountPath: /var/lib/keysweep
      {{- with $root.Values.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
volumes:
  {{- include "keysweep.configVolumes" (dict "root" $root "configMap" (include "keysweep.configMapName" $root)) | nindent 2 }}
  {{- if not $root.Values.persistence.enabled }}
  # persistence.enabled is false: what keysweep knows ends with the pod.
  - name: data
    emptyDir:
      sizeLimit: {{ $root.Values.persistence.size }}
  {{- else if $root.Values.persistence.existingClaim }}
  - name: data
    persistentVolumeClaim:
      claimName: {{ $root.Values.persistence.existingClaim }}
  {{- else if not $daemon }}
  # The claim that the StatefulSet made for its pod.
  - name: data
    persistentVolumeClaim:
      claimName: data-{{ include "keysweep.fullname" $root }}-0
  {{- end }}
  {{- with $root.Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
