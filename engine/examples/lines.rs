use pinnace_engine::template::{
    Environment, Map, MapType, TemplateSet, Value, from_json, on_large_stack,
};
use std::io::{BufRead, Write};
const FILE: &str = "t/templates/case.txt";
fn run(template: &str, data: &serde_json::Value) -> Result<String, String> {
    let values = match from_json(data) {
        Value::Map(map) => Map::new(MapType::Values, map.entries().clone()),
        _ => Map::new(MapType::Values, Default::default()),
    };
    let release = Value::map([
        ("Name", "demo".into()),
        ("Namespace", "space".into()),
        ("Revision", Value::Int(1)),
    ]);
    let dot = Value::map([("Values", Value::Map(values)), ("Release", release)]);
    let mut set = TemplateSet::new();
    set.parse(FILE, template)
        .and_then(|()| set.execute(FILE, &dot, &Environment::system()))
        .map_err(|e| e.helm_text())
}
fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    on_large_stack(|| {
        let stdout = std::io::stdout();
        let mut out = std::io::BufWriter::new(stdout.lock());
        for line in std::io::stdin().lock().lines() {
            let q: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
            let t = q["template"].as_str().unwrap().to_owned();
            let d = q["data"].clone();
            let r = std::panic::catch_unwind(|| run(&t, &d));
            let a = match r {
                Ok(Ok(o)) => serde_json::json!({"output": o}),
                Ok(Err(e)) => serde_json::json!({"error": e}),
                Err(p) => {
                    let m = p
                        .downcast_ref::<String>()
                        .cloned()
                        .or(p.downcast_ref::<&str>().map(|s| s.to_string()))
                        .unwrap_or_default();
                    serde_json::json!({"panic": m})
                }
            };
            writeln!(out, "{a}").unwrap();
        }
    });
}
