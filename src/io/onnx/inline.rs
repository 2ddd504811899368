//! Functions of a file written out: every call becomes the nodes of the function's body, with names of their own.

use std::collections::HashMap;

use super::call::node_name;
use super::proto::{AttributeProto, FunctionProto, GraphProto, NodeProto};
use crate::error::{Error, Result};

/// The most nodes that calls may expand to, and the deepest calls inside calls.
const MOST_NODES: usize = 1 << 20;
const DEEPEST: usize = 32;

/// The nodes of `graph` without calls of `functions`.
///
/// # Errors
/// Functions call themselves, or expand to more nodes than any network has.
pub(super) fn written_out(graph: &mut GraphProto, functions: &[FunctionProto]) -> Result<()> {
    if functions.is_empty() {
        return Ok(());
    }
    let by_name = functions.iter().map(|function| ((&function.domain[..], &function.name[..]), function)).collect();
    let mut inliner = Inliner { functions: by_name, nodes: Vec::new() };
    for node in std::mem::take(&mut graph.node) {
        inliner.add(node, 0)?;
    }
    graph.node = inliner.nodes;
    Ok(())
}

struct Inliner<'a> {
    functions: HashMap<(&'a str, &'a str), &'a FunctionProto>,
    nodes: Vec<NodeProto>,
}

impl Inliner<'_> {
    fn add(&mut self, node: NodeProto, depth: usize) -> Result<()> {
        let Some(&function) = self.functions.get(&(&node.domain[..], &node.op_type[..])) else {
            self.nodes.push(node);
            return if self.nodes.len() <= MOST_NODES {
                Ok(())
            } else {
                Err(Error::unsupported(format!("its functions expand to more than {MOST_NODES} nodes")))
            };
        };
        if depth >= DEEPEST {
            let name = &function.name;
            return Err(Error::unsupported(format!("function '{name}' is more than {DEEPEST} calls deep")));
        }
        let body = Body::new(&node, function);
        function.node.iter().try_for_each(|inner| self.add(body.node(inner), depth + 1))
    }
}

/// A function's body where it is called.
struct Body<'a> {
    call: &'a NodeProto,
    function: &'a FunctionProto,
    /// What inputs and outputs are called outside.
    names: HashMap<&'a str, &'a str>,
}

impl<'a> Body<'a> {
    fn new(call: &'a NodeProto, function: &'a FunctionProto) -> Self {
        // What the call leaves out is left out inside.
        let outside = |list: &'a [String], k: usize| list.get(k).map_or("", String::as_str);
        let inputs = function.input.iter().enumerate().map(|(k, name)| (name.as_str(), outside(&call.input, k)));
        let outputs = function.output.iter().enumerate().map(|(k, name)| (name.as_str(), outside(&call.output, k)));
        // An output that nobody takes keeps a name of its own.
        let names = inputs.chain(outputs.filter(|(_, outside)| !outside.is_empty())).collect();
        Body { call, function, names }
    }

    fn name(&self, name: &str) -> String {
        match self.names.get(name) {
            Some(outside) => outside.to_string(),
            None if name.is_empty() => String::new(),
            None => format!("{}/{name}", node_name(self.call)),
        }
    }

    fn node(&self, inner: &NodeProto) -> NodeProto {
        let renamed = |list: &[String]| list.iter().map(|name| self.name(name)).collect();
        NodeProto {
            input: renamed(&inner.input),
            output: renamed(&inner.output),
            name: format!("{}/{}", node_name(self.call), node_name(inner)),
            op_type: inner.op_type.clone(),
            attribute: inner.attribute.iter().filter_map(|attribute| self.attribute(attribute)).collect(),
            domain: inner.domain.clone(),
            metadata_props: inner.metadata_props.clone(),
        }
    }

    /// An attribute, or what the call, or the function by default, has in its place.
    fn attribute(&self, inner: &AttributeProto) -> Option<AttributeProto> {
        let given = match inner.ref_attr_name.as_str() {
            "" => inner,
            name => {
                let all = self.call.attribute.iter().chain(&self.function.attribute_proto);
                all.into_iter().find(|attribute| attribute.name == name)?
            }
        };
        let g = given.g.as_ref().map(|graph| Box::new(self.graph(graph)));
        Some(AttributeProto { name: inner.name.clone(), g, ref_attr_name: String::new(), ..given.clone() })
    }

    /// A branch inside the body.
    fn graph(&self, inner: &GraphProto) -> GraphProto {
        let mut graph = inner.clone();
        graph.node = inner.node.iter().map(|node| self.node(node)).collect();
        graph.initializer.iter_mut().for_each(|tensor| tensor.name = self.name(&tensor.name));
        graph.input.iter_mut().chain(&mut graph.output).for_each(|info| info.name = self.name(&info.name));
        graph
    }
}
