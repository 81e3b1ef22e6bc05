"""How results are shown. Reports import neither the tracer nor what drives a target."""
