//! A plan as JSON, for manifests.

use std::fmt::Write;

use super::{Plan, PlannedParameter};

/// Quotes and escapes a string.
pub(crate) fn text(s: &str) -> String {
    let mut out = String::from('"');
    for c in s.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if (c as u32) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Formats the member `name: value` of an object. The value is JSON.
fn member(name: &str, value: impl std::fmt::Display) -> String {
    format!("{}: {value}", text(name))
}

fn object(members: &[String], indent: usize) -> String {
    let pad = " ".repeat(indent);
    format!("{{\n{pad}  {}\n{pad}}}", members.join(&format!(",\n{pad}  ")))
}

impl Plan {
    /// The plan as JSON.
    pub fn to_json(&self) -> String {
        let parameters: Vec<String> = self.parameters.iter().map(parameter).collect();
        let rates = [
            member("product", self.rates.product),
            member("positions", self.rates.positions),
            member("forming", self.rates.forming),
            member("entries", self.rates.entries),
        ];
        let (n, m) = self.samples;
        let members = [
            member("precision", text(self.precision)),
            member("outputs", text(&format!("{:?}", self.outputs))),
            member("samples", m.map_or(format!("[{n}]"), |m| format!("[{n}, {m}]"))),
            member("block", self.block),
            member("chunk", self.chunk),
            member("tall", self.tall),
            member("wide", self.wide),
            member("resident", self.resident),
            member("forward_flops", self.forward_flops),
            member("reverse_flops", self.reverse_flops),
            member("result_bytes", self.result_bytes),
            member("thread_bytes", self.thread_bytes),
            member("budget_bytes", self.budget.map_or("null".into(), |b| b.to_string())),
            member("rates", format!("{{{}}}", rates.join(", "))),
            member("parameters", format!("[\n    {}\n  ]", parameters.join(",\n    "))),
        ];
        object(&members, 0)
    }
}

fn parameter(p: &PlannedParameter) -> String {
    let alternatives = p.alternatives.iter();
    let alternatives: Vec<String> =
        alternatives.map(|(strategy, s)| member(strategy.name(), format!("{s:e}"))).collect();
    let members = [
        member("name", text(&p.name)),
        member("shape", format!("{:?}", p.shape)),
        member("uses", p.uses),
        member("positions", p.positions),
        member("strategy", text(p.strategy.name())),
        member("forming_flops", p.forming_flops),
        member("gram_flops", p.gram_flops),
        member("bytes", p.bytes),
        member("seconds", format!("{:e}", p.seconds)),
        member("alternatives", format!("{{{}}}", alternatives.join(", "))),
    ];
    format!("{{{}}}", members.join(", "))
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn names_are_escaped() {
        assert_eq!(text("a\"b\\c\n"), "\"a\\\"b\\\\c\\u000a\"");
    }
}
