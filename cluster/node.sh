#!/bin/bash
# What the machines of aws.yaml, gcp.yaml and on-premise.yaml do: `setup` installs this checkout; `head` and `worker` start Ray anew.
#
# Ray's token is on: without it anyone who reaches a port of the cluster may run code there. Ray reads it from ~/.ray/auth_token, where
# the launcher has copied yours. The dashboard listens on the head alone; `ray dashboard` brings it to you through SSH.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=$HOME/.local/bin:$HOME/blurb-tune-env/bin:$PATH RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0

case ${1:-} in
    setup)  # uv brings the same Python to every machine image
        command -v uv > /dev/null || curl -LsSf https://astral.sh/uv/0.9.7/install.sh | sh
        uv venv --quiet --allow-existing --python 3.11 "$HOME/blurb-tune-env"
        uv pip install --quiet --python "$HOME/blurb-tune-env" --constraint constraints.txt '.[cluster,demo]'
        ;;
    head)
        ray stop
        ray start --head --port 6379 --num-cpus 0 --autoscaling-config "$HOME/ray_bootstrap_config.yaml"
        ;;
    worker)
        ray stop
        ray start --address "$RAY_HEAD_IP:6379"
        ;;
    *)
        echo "usage: node.sh setup | head | worker" >&2
        exit 2
        ;;
esac
