#!/usr/bin/env bash
# A cluster for the tests from kind and docker, where `make cluster` cannot run (no root, a Mac):
#   tests/cluster/kind.sh up     prints the variables that the tests read, as NAME=VALUE lines
#   tests/cluster/kind.sh down   removes the cluster and its registry
set -euo pipefail

name=despejado-tests
registry=$name-registry
port=5001
kubeconfig=${DESPEJADO_KIND_KUBECONFIG:-$HOME/.kube/$name}

up() {
    # Nodes pull localhost:5001 from the registry's container, the machine pushes to the same name.
    docker run --detach --restart=always --name "$registry" \
        --publish "127.0.0.1:$port:5000" docker.io/library/registry:2 >&2
    kind create cluster --name "$name" --kubeconfig "$kubeconfig" --wait 120s --config=- >&2 <<'CONFIG'
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
containerdConfigPatches:
  - |-
    [plugins."io.containerd.grpc.v1.cri".registry]
      config_path = "/etc/containerd/certs.d"
CONFIG
    docker network connect kind "$registry"
    local node=$name-control-plane folder=/etc/containerd/certs.d/localhost:$port
    docker exec "$node" mkdir -p "$folder"
    echo "[host.\"http://$registry:5000\"]" | docker exec -i "$node" cp /dev/stdin "$folder/hosts.toml"
    echo "KUBECONFIG=$kubeconfig"
    echo "DESPEJADO_TEST_REGISTRY=localhost:$port"
    # The machine as pods see it.
    echo "DESPEJADO_TEST_ADDRESS=$(docker exec "$node" ip -4 route show default | cut -d ' ' -f 3)"
}

down() {
    kind delete cluster --name "$name" --kubeconfig "$kubeconfig"
    docker rm --force "$registry"
}

case ${1:-} in
    up | down) "$1" ;;
    *) echo "usage: $0 up|down" >&2; exit 2 ;;
esac
