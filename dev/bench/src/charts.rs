//! The charts that are measured: our own, public ones, and generated ones that grow.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

/// A chart as a folder and as an archive.
pub struct Chart {
    pub name: String,
    pub folder: PathBuf,
    pub archive: PathBuf,
}

const HELPERS: &str = r#"{{- define "grow.name" -}}
{{- printf "%s-%s" .root.Release.Name (default "item" .root.Values.nameOverride) | trunc 50 | trimSuffix "-" -}}-{{ .i }}
{{- end }}
{{- define "grow.labels" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}
"#;

const OBJECTS: &str = r#"{{- range $i := until (int $.Values.objects) }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "grow.name" (dict "root" $ "i" $i) }}
  namespace: {{ $.Release.Namespace }}
  labels:
    {{- include "grow.labels" (dict "root" $ "i" $i) | nindent 4 }}
spec:
  replicas: {{ $.Values.replicas | default 1 }}
  selector:
    matchLabels:
      app.kubernetes.io/instance: {{ $.Release.Name | quote }}
  template:
    metadata:
      {{- with $.Values.annotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      labels:
        {{- include "grow.labels" (dict "root" $ "i" $i) | nindent 8 }}
    spec:
      containers:
        - name: {{ $.Chart.Name }}
          image: "{{ $.Values.image.repository }}:{{ $.Values.image.tag | default $.Chart.AppVersion }}"
          imagePullPolicy: {{ $.Values.image.pullPolicy }}
          {{- if $.Values.service.enabled }}
          ports:
            - name: http
              containerPort: {{ $.Values.service.port }}
          {{- end }}
          env:
            {{- range $key, $value := $.Values.env }}
            - name: {{ $key | upper }}
              value: {{ $value | quote }}
            {{- end }}
          resources:
            {{- toYaml $.Values.resources | nindent 12 }}
{{- end }}
"#;

const VALUES: &str = r#"replicas: 2
nameOverride: ""
labels: {team: boats, tier: backend}
annotations:
  example.com/checksum: 0f343b0931126a20f133d67c2b018a3b
  example.com/scrape: "true"
image: {repository: registry.example.com/group/app, tag: 1.2.3, pullPolicy: IfNotPresent}
service: {enabled: true, port: 8080}
env: {log_level: info, region: eu-central-1, workers: 4, features: "a,b,c"}
resources:
  limits: {cpu: 500m, memory: 256Mi}
  requests: {cpu: 100m, memory: 128Mi}
"#;

const INCLUDES: &str = r#"{{- define "deep" -}}
{{- if gt (int .n) 0 }}{{ include "deep" (dict "n" (sub (int .n) 1) "root" .root) }}{{ else }}{{ .root.Release.Name }}{{ end -}}
{{- end }}
{{- range $i := until 50 }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: deep-{{ $i }}
data:
  value: {{ include "deep" (dict "n" 200 "root" $) | quote }}
{{- end }}
"#;

const TPL: &str = r#"{{- range $i := until (int $.Values.objects) }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: tpl-{{ $i }}
data:
  same: {{ tpl $.Values.greeting $ | quote }}
  other: {{ tpl (printf "{{ .Release.Name }}-%d" $i) $ | quote }}
{{- end }}
"#;

/// Templates that share the objects of a generated chart.
const FILES: usize = 25;

/// Writes the generated charts below `folder`, and packs all charts there.
pub fn collect(helm: &Path, folder: &Path, others: &[&str]) -> anyhow::Result<Vec<Chart>> {
    let mut folders: Vec<(String, PathBuf)> = Vec::new();
    for path in others {
        // The charts of our tests are folders of this name.
        let named = path.strip_suffix("/chart").unwrap_or(path);
        let name = Path::new(named).file_name().unwrap_or_default();
        folders.push((name.to_string_lossy().into_owned(), PathBuf::from(path)));
    }
    for objects in [10, 100, 1_000, 10_000] {
        let files = FILES.min(objects);
        let values = format!("{VALUES}objects: {}\n", objects / files);
        let templates = (0..files).map(|i| (format!("objects-{i}.yaml"), OBJECTS));
        let name = format!("{objects} objects");
        folders.push((name.clone(), write(folder, &name, &values, templates.collect())?));
    }
    for objects in [100, 1_000] {
        let values = format!("greeting: 'Hello {{{{ .Release.Name }}}}'\nobjects: {objects}\n");
        let name = format!("{} tpl", 2 * objects);
        let templates = vec![("tpl.yaml".to_owned(), TPL)];
        folders.push((name.clone(), write(folder, &name, &values, templates)?));
    }
    let templates = vec![("deep.yaml".to_owned(), INCLUDES)];
    folders.push(("deep includes".to_owned(), write(folder, "deep includes", VALUES, templates)?));
    folders.into_iter().map(|(name, path)| pack(helm, folder, name, path)).collect()
}

fn write(
    folder: &Path,
    name: &str,
    values: &str,
    templates: Vec<(String, &str)>,
) -> anyhow::Result<PathBuf> {
    let name = format!("x{}", name.replace(' ', "-"));
    let chart = folder.join(&name);
    fs::create_dir_all(chart.join("templates"))?;
    fs::write(
        chart.join("Chart.yaml"),
        format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\nappVersion: 2.0.0\n"),
    )?;
    fs::write(chart.join("values.yaml"), values)?;
    fs::write(chart.join("templates/_helpers.tpl"), HELPERS)?;
    for (file, text) in templates {
        fs::write(chart.join("templates").join(file), text)?;
    }
    Ok(chart)
}

fn pack(helm: &Path, folder: &Path, name: String, chart: PathBuf) -> anyhow::Result<Chart> {
    let packed = folder.join("packed").join(name.replace(' ', "-"));
    fs::create_dir_all(&packed)?;
    let output = Command::new(helm)
        .arg("package")
        .arg(&chart)
        .arg("--destination")
        .arg(&packed)
        .output()
        .with_context(|| format!("cannot run {}", helm.display()))?;
    if !output.status.success() {
        bail!("cannot pack {}: {}", chart.display(), String::from_utf8_lossy(&output.stderr));
    }
    let mut archives = fs::read_dir(&packed)?;
    let Some(archive) = archives.next().transpose()? else {
        bail!("helm packed nothing of {}", chart.display());
    };
    Ok(Chart { name, folder: chart, archive: archive.path() })
}
