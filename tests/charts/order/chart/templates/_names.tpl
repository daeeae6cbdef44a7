{{- define "order.name" -}}{{ .Release.Name }}-{{ .Chart.Name }}{{- end -}}
