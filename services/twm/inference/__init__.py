"""World models behind gRPC, run by ONNX Runtime."""
