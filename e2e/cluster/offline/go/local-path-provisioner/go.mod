module phasemigration.local/local-path-provisioner

go 1.24.0

tool github.com/rancher/local-path-provisioner

require github.com/rancher/local-path-provisioner v0.33.0
