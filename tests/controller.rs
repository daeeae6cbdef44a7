//! The controller on a real API server, with charts from a real registry, and genuine Helm reading along.

#[path = "controller/bed.rs"]
mod bed;

use bed::{Bed, chart};
use serde_json::json;

const WEB: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-config
data:
  text: {{ .Values.text | quote }}
  version: {{ .Chart.Version | quote }}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn install_upgrade_and_uninstall_with_helm_reading_along() {
    let bed = Bed::new("story").await;
    bed.publish(&chart("web", "1.0.0").file("templates/web.yaml", WEB).values("text: default\n"));
    bed.publish(&chart("web", "1.1.0").file("templates/web.yaml", WEB).values("text: default\n"));
    let controller = bed.start_controller();
    bed.release("web", "web", "1.0.0", json!({"text": "one"})).await;
    let status = bed.ready("web").await;
    assert_eq!(bed::condition(&status, "Ready").1, "InstallSucceeded");
    assert_eq!(bed.field("configmap/web-config", "{.data.text}"), "one");
    bed.release("web", "web", "1.1.0", json!({"text": "two"})).await;
    bed.history("web", |history| history[0]["chartVersion"] == "1.1.0").await;
    let status = bed.ready("web").await;
    assert_eq!(bed::condition(&status, "Ready").1, "UpgradeSucceeded");
    assert_eq!(bed.field("configmap/web-config", "{.data.text}"), "two");
    let history = bed.helm_history("web");
    assert_eq!(history, [(1, "superseded".into(), "web-1.0.0".into()), (2, "deployed".into(), "web-1.1.0".into())]);
    assert!(bed.helm(&["get", "all", "web"]).contains("text: two"));
    bed.delete("web").await;
    assert_eq!(bed.helm(&["list", "--all", "-q"]).trim(), "");
    assert!(!bed.exists("configmap/web-config"));
    controller.stop().await;
}
