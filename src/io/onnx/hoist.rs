//! Linear models of scikit-learn hold their coefficients in attributes. Here these become tensors of the file, which the
//! nodes take as inputs, so that they are parameters like all others.

use super::call::node_name;
use super::proto::{GraphProto, NodeProto, TensorProto};

/// Single precision, as the format numbers types.
const FLOAT: i32 = 1;

/// Replaces the coefficients and intercepts of the graph's linear models by inputs 1 and 2.
pub(super) fn coefficients(graph: &mut GraphProto) {
    for node in graph.node.iter_mut().filter(|node| is_linear_model(node)) {
        for key in ["coefficients", "intercepts"] {
            let numbers = node.attribute.iter().find(|attribute| attribute.name == key);
            let numbers = numbers.map_or(Vec::new(), |attribute| attribute.floats.clone());
            if numbers.is_empty() {
                continue;
            }
            let name = format!("{}.{key}", node_name(node));
            let dims = vec![numbers.len() as i64];
            let tensor = TensorProto {
                name: name.clone(),
                dims,
                data_type: FLOAT,
                float_data: numbers,
                ..TensorProto::default()
            };
            graph.initializer.push(tensor);
            node.input.push(name);
        }
    }
}

fn is_linear_model(node: &NodeProto) -> bool {
    node.domain == "ai.onnx.ml"
        && node.input.len() == 1
        && matches!(&node.op_type[..], "LinearClassifier" | "LinearRegressor")
}
