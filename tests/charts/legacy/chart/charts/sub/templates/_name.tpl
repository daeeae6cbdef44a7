{{ define "sub.name" }}{{ .Chart.Name }}/{{ .Template.Name }}{{ end }}
