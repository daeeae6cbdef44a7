//! The chart that is released: a few objects, and a hook for each event. Each hook makes an object, whose UID tells
//! one run from the next.

use crate::bed::{Bed, Chart, chart};

pub const NAME: &str = "thing";
/// The version that is always refused by the API server, when half of it is applied.
pub const BROKEN: &str = "3.0.0";
/// The versions that take turns.
pub const GOOD: [&str; 2] = ["1.0.0", "2.0.0"];
/// On objects of a release: its name.
pub const LABEL: &str = "chaos";

const OBJECTS: &str = r#"
{{- $labels := printf "{chaos: %s}" .Release.Name }}
apiVersion: v1
kind: ServiceAccount
metadata: {name: {{ .Release.Name }}, labels: {{ $labels }}}
---
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}, labels: {{ $labels }}}
stringData: {version: {{ .Chart.Version | quote }}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-a, labels: {{ $labels }}}
data: {version: {{ .Chart.Version | quote }}, turn: {{ .Values.turn | quote }}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}-{{ .Chart.Version | replace "." "-" }}", labels: {{ $labels }}}
---
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}, labels: {{ $labels }}}
spec: {selector: {app: {{ .Release.Name }}}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}, labels: {{ $labels }}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}, version: {{ .Chart.Version | quote }}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: pause, image: "registry.test/pause:1"}]
"#;

/// Hooks of every other event go when they have succeeded.
const HOOKS: &str = r#"
{{- range $i, $event := list "pre-install" "post-install" "pre-upgrade" "post-upgrade" "pre-rollback"
    "post-rollback" "pre-delete" "post-delete" "test" }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $.Release.Name }}-{{ $event }}
  annotations:
    helm.sh/hook: {{ $event }}
    helm.sh/hook-delete-policy: before-hook-creation{{ if mod $i 2 }},hook-succeeded{{ end }}
{{- end }}
{{- if .Values.jobs }}
{{- range list "pre-upgrade" "post-rollback" }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ $.Release.Name }}-job-{{ . }}
  annotations: {helm.sh/hook: {{ . }}, helm.sh/hook-weight: "1"}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 0
      containers: [{name: main, image: "registry.test/crane:1", command: [/crane, version]}]
{{- end }}
{{- end }}
"#;

const REFUSED: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-refused, labels: {chaos: {{ .Release.Name }}}}
data: {"no key": "has a space"}
"#;

fn version(version: &str) -> Chart {
    chart(NAME, version)
        .file("templates/objects.yaml", OBJECTS)
        .file("templates/hooks.yaml", HOOKS)
        .values("turn: 0\nreplicas: 0\njobs: false\n")
}

pub fn publish(bed: &Bed) {
    for good in GOOD {
        bed.publish(&version(good));
    }
    bed.publish(&version(BROKEN).file("templates/refused.yaml", REFUSED));
}

/// Kind and name of every object of a release in this version.
pub fn objects(release: &str, version: &str) -> Vec<(&'static str, String)> {
    vec![
        ("ConfigMap", format!("{release}-a")),
        ("ConfigMap", format!("{release}-{}", version.replace('.', "-"))),
        ("Deployment", release.to_owned()),
        ("Secret", release.to_owned()),
        ("Service", release.to_owned()),
        ("ServiceAccount", release.to_owned()),
    ]
}

/// The hooks of an event: names of their objects. `jobs`: whether there are such that run in a pod.
pub fn hooks(release: &str, event: &str, jobs: bool) -> Vec<String> {
    let mut hooks = vec![format!("{release}-{event}")];
    if jobs && ["pre-upgrade", "post-rollback"].contains(&event) {
        hooks.push(format!("{release}-job-{event}"));
    }
    hooks
}
