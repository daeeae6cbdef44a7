//! `range`.

use super::*;

impl<'t> State<'t, '_> {
    pub(super) fn range(&mut self, dot: &Operand, branch: &'t BranchNode) -> Walked {
        self.at = Some(branch);
        let mark = self.vars.len();
        let over = self.pipeline(dot, &branch.pipe)?;
        let body = self.vars.len();
        let mut ran = false;
        for (index, element) in self.elements(branch, &over.value)? {
            ran = true;
            self.step()?;
            self.assign(&branch.pipe, index, &element)?;
            let flow = self.list(&element, &branch.list)?;
            self.vars.truncate(body);
            if flow == Flow::Break {
                break;
            }
        }
        let mut flow = Flow::Next;
        if let (false, Some(list)) = (ran, &branch.else_list) {
            flow = self.list(dot, list)?;
        }
        self.vars.truncate(mark);
        Ok(flow)
    }

    fn assign(
        &mut self,
        pipe: &'t PipeNode,
        index: Operand,
        element: &Operand,
    ) -> Result<(), TemplateError> {
        let two = pipe.declared.len() > 1;
        if pipe.is_assign {
            if let Some(first) = pipe.declared.first() {
                let value = if two { index } else { element.clone() };
                self.set_var(&first.ident[0], value)?;
            }
            if two {
                self.set_var(&pipe.declared[1].ident[0], element.clone())?;
            }
            return Ok(());
        }
        let top = self.vars.len();
        if !pipe.declared.is_empty() {
            self.vars[top - 1].1 = element.clone();
        }
        if two {
            self.vars[top - 2].1 = index;
        }
        Ok(())
    }

    /// Index and element of each turn, as they are before the first.
    fn elements(
        &self,
        branch: &'t BranchNode,
        over: &Value,
    ) -> Result<Box<dyn Iterator<Item = (Operand, Operand)>>, TemplateError> {
        let count = |n: i64, make: fn(i64) -> Value| {
            if branch.pipe.declared.len() > 1 {
                return self.error(format!("can't use {n} to iterate over more than one variable"));
            }
            let turns = (0..n).map(move |i| (Operand::plain(Value::Nil), Operand::plain(make(i))));
            Ok(Box::new(turns) as Box<dyn Iterator<Item = (Operand, Operand)>>)
        };
        Ok(match over {
            Value::Nil => Box::new(std::iter::empty()),
            Value::Int(n) => return count(*n, Value::Int),
            Value::Int64(n) => return count(*n, Value::Int64),
            Value::Duration(n) => return count(*n, Value::Duration),
            Value::Uint8(n) => return count((*n).into(), |i| Value::Uint8(i as u8)),
            Value::Uint64(n) => {
                return count(i64::try_from(*n).unwrap_or(i64::MAX), |i| Value::Uint64(i as u64));
            }
            Value::List(list) => {
                let interface = list.kind() == super::super::ListType::Any;
                let list = list.clone();
                Box::new((0..list.len()).map(move |i| {
                    let value = list[i].clone();
                    let element = Operand { interface, ..Operand::plain(value) };
                    (Operand::plain(Value::Int(i as i64)), element)
                }))
            }
            Value::Bytes(bytes) => {
                let bytes = bytes.clone();
                Box::new((0..bytes.len()).map(move |i| {
                    (Operand::plain(Value::Int(i as i64)), Operand::plain(Value::Uint8(bytes[i])))
                }))
            }
            Value::Map(map) => {
                let interface = map.kind() != super::super::MapType::String;
                Box::new(map.snapshot().into_iter().map(move |(key, value)| {
                    let element = Operand { interface, ..Operand::plain(value) };
                    (Operand::plain(Value::String(key)), element)
                }))
            }
            Value::Object(object) if object.entries().is_some() => {
                let entries = object.entries().unwrap_or_default();
                Box::new(entries.into_iter().map(|(k, v)| (Operand::plain(k), Operand::plain(v))))
            }
            other => {
                let text = printf::print(std::slice::from_ref(other), self.run);
                let text = String::from_utf8_lossy(&text).into_owned();
                return self.error(format!("range can't iterate over {text}"));
            }
        })
    }
}
