"""Access to a cluster: kubeconfig, credentials, connection and client; pods and what keeps them from becoming ready."""
