"""The wire to a Kubernetes cluster: the only importer of its client; knows no Django."""
