"""Writes into an ONNX file which of its tensors are parameters: those of the network that require a gradient.

An ONNX file has no place for `requires_grad`, so a frozen layer looks like any other. `ntk` reads this list.

    from trainable import write_trainable

    torch.onnx.export(net.eval(), (x[:1],), "net.onnx", dynamo=True, optimize=False)
    write_trainable(net, "net.onnx")
"""

import onnx

KEY = "tangent_kernels.trainable"


def write_trainable(net, path):
    """Lists the parameters of `net` that require a gradient in the metadata of the file `path`, under all their names."""
    names = [name for name, p in net.named_parameters(remove_duplicate=False) if p.requires_grad]
    model = onnx.load(path, load_external_data=False)
    for entry in [entry for entry in model.metadata_props if entry.key == KEY]:
        model.metadata_props.remove(entry)
    model.metadata_props.add(key=KEY, value="\n".join(names))
    onnx.save(model, path)
