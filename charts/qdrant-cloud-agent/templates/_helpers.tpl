{{/* Labels that a selector may use: they never change. */}}
{{- define "qdrant-cloud-agent.selectorLabels" -}}
app.kubernetes.io/name: qdrant-cloud-agent
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Labels of objects in the namespace. */}}
{{- define "qdrant-cloud-agent.labels" -}}
{{ include "qdrant-cloud-agent.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Name of cluster-scoped objects: two agents in one cluster have two. */}}
{{- define "qdrant-cloud-agent.clusterName" -}}
{{ printf "%s-%s" .Release.Namespace .Release.Name }}
{{- end }}

{{- define "qdrant-cloud-agent.config" -}}
{{- $_ := required "config.serverURL is missing: copy the installation command from the Console" .Values.config.serverURL -}}
{{- $_ = required "config.hybridCloud.id is missing: copy the installation command from the Console" .Values.config.hybridCloud.id -}}
{{- toYaml .Values.config -}}
{{- end }}

{{/* What the agent reads only when it starts: it follows the rest of the mounted file. */}}
{{- define "qdrant-cloud-agent.configAtStart" -}}
{{- omit .Values.config "caCertificates" "httpProxy" "httpsProxy" "noProxy" | toYaml -}}
{{- end }}
