{{- define "planner.labels" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/part-of: planner
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "planner.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{- define "planner.image" -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}
{{- end }}

{{/* What the pod security level "restricted" asks of every container, and no writable root. */}}
{{- define "planner.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "planner.databaseSecret" -}}
{{ .Values.existingSecrets.database | default "planner-db" }}
{{- end }}

{{- define "planner.backendSecret" -}}
{{ .Values.existingSecrets.backend | default "planner-app" }}
{{- end }}

{{- define "planner.postgresSecret" -}}
{{ .Values.existingSecrets.postgres | default "planner-postgres" }}
{{- end }}

{{/* The value of a key of a Secret in the cluster, decoded, or nothing. */}}
{{- define "planner.kept" -}}
{{- $secret := lookup "v1" "Secret" .root.Release.Namespace .secret | default dict -}}
{{- get ($secret.data | default dict) .key | b64dec -}}
{{- end }}
