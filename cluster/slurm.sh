#!/bin/bash
#SBATCH --job-name=blurb-tune
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:TERM@180
# A sweep on a Ray cluster inside one SLURM job:
#
#   sbatch cluster/slurm.sh my-sweep.yaml [options of `blurb-tune run`]       # add --gpus-per-node=1 and the like before cluster/slurm.sh
#
# Three minutes before the time is up, or when the job is preempted, SLURM sends SIGTERM. The driver then ends resumably (exit code 130)
# and the job is queued again; the same command goes on from the sweep's log. Any other exit code is the job's.
# BLURB_TUNE_HOME (this folder otherwise) has to lie on a file system that all nodes share.
set -euo pipefail
spec=$1
home=${BLURB_TUNE_HOME:-$PWD}
folder=$home/runs/slurm-$(basename "$spec" .yaml)

# Ray's token: nobody else on these machines may run code in this job. It is new for every start, and only in the environment.
RAY_AUTH_TOKEN=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
export RAY_AUTH_TOKEN RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0
export RAY_TMPDIR=${TMPDIR:-/tmp}/ray-$SLURM_JOB_ID

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
# Jobs that share a machine must not share ports.
port=$((20000 + SLURM_JOB_ID % 10000))
on() { srun --nodes=1 --ntasks=1 --nodelist="$1" "${@:2}"; }
head=$(on "${nodes[0]}" hostname --ip-address | cut -d' ' -f1)
size=${SLURM_CPUS_PER_TASK:+--num-cpus=$SLURM_CPUS_PER_TASK}

steps=()
stop_ray() { kill "${steps[@]}" 2> /dev/null || true; wait "${steps[@]}" 2> /dev/null || true; rm -rf "$RAY_TMPDIR"; }
trap stop_ray EXIT

on "${nodes[0]}" mkdir -p "$RAY_TMPDIR"
on "${nodes[0]}" ray start --head --block --node-ip-address "$head" --port "$port" --include-dashboard false $size &
steps+=($!)
for node in "${nodes[@]:1}"; do
    on "$node" mkdir -p "$RAY_TMPDIR"
    on "$node" ray start --block --address "$head:$port" $size &
    steps+=($!)
done
# The sweep counts its slots when it starts.
until [ "$(ray status --address "$head:$port" 2> /dev/null | grep -c '^ *1 node_')" -ge "${#nodes[@]}" ]; do
    kill -0 "${steps[@]}"
    sleep 1
done

blurb-tune run "$spec" --output "$folder" --set "cluster=$head:$port" --set "weights=$home/weights" "${@:2}" &
driver=$!
trap 'kill -TERM $driver' TERM
code=0
wait $driver || code=$?
while kill -0 $driver 2> /dev/null; do  # a signal ends `wait` before the driver has ended
    code=0
    wait $driver || code=$?
done
if [ $code -eq 130 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit $code
