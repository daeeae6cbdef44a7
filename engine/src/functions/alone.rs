//! Functions called outside of any Go template.

use super::{Call, find};
use crate::template::{Run, TemplateSet, Value};

/// Calls a function with the checks that the evaluator makes, and charges the run for what it returns.
/// Templates are out of its reach.
pub(crate) fn call_by_name(
    name: &str,
    arguments: &[Value],
    run: &Run<'_>,
) -> Result<Value, String> {
    let function = find(name).ok_or_else(|| format!("function {name:?} not defined"))?;
    let (given, wanted) = (arguments.len(), function.params.len());
    if given < wanted || (given > wanted && function.rest.is_none()) {
        let least = if function.rest.is_some() { "at least " } else { "" };
        return Err(format!("takes {least}{wanted} arguments and got {given}"));
    }
    for (index, argument) in arguments.iter().enumerate() {
        let kind = function.kind_of(index);
        let is_nil = matches!(argument, Value::Nil) && kind.can_be_nil();
        if !is_nil && !kind.accepts(argument) {
            return Err(format!(
                "argument {} must be of type {}, not {}",
                index + 1,
                kind.type_name(),
                argument.type_name()
            ));
        }
    }
    run.spend(1)?;
    let set = TemplateSet::new();
    let returned = (function.body)(&Call { set: &set, run }, arguments);
    let returned = returned.map_err(|cause| cause.to_string())?;
    run.charge(&returned)?;
    run.check().map(|()| returned)
}
