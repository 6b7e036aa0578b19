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
#   sbatch --gpus-per-node=1 cluster/slurm.sh my-sweep.yaml --set resources.gpus=1
#
# Three minutes before the time is up, or when the job is preempted, SLURM sends SIGTERM. The driver then ends resumably (exit code
# 130) and the job is queued again; it goes on from the sweep's log. Any other exit code is the job's.
# BLURB_TUNE_STORAGE (`sweeps` in this folder otherwise) and the environment lie on a file system that all nodes share.
set -euo pipefail
spec=$1
storage=${BLURB_TUNE_STORAGE:-$PWD/sweeps}

# Ray's token: nobody else on these machines may run code in this job. It is new for every start, and only in the environment.
RAY_AUTH_TOKEN=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
export RAY_AUTH_TOKEN RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0
export RAY_TMPDIR=${TMPDIR:-/tmp}/ray-$SLURM_JOB_ID

driver=
steps=()
interrupted() {
    if [ -n "$driver" ]; then kill -TERM "$driver"; else exit 130; fi
}
finish() {
    code=$?
    kill "${steps[@]}" 2> /dev/null || true
    wait "${steps[@]}" || true
    rm -rf "$RAY_TMPDIR"
    if [ $code -eq 130 ] || [ $code -eq 4 ]; then scontrol requeue "$SLURM_JOB_ID"; fi
}
trap interrupted TERM
trap finish EXIT

# Jobs that share a machine must not share ports.
port=$((20000 + SLURM_JOB_ID % 10000))
mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
step=(srun --nodes=1 --ntasks=1 --cpus-per-task="$SLURM_CPUS_PER_TASK")
node=(ray start --block --num-cpus "$SLURM_CPUS_PER_TASK")
head=$("${step[@]}" --nodelist="${nodes[0]}" hostname --ip-address | cut -d' ' -f1)
"${step[@]}" --nodelist="${nodes[0]}" "${node[@]}" --head --node-ip-address "$head" --port "$port" \
    --ray-client-server-port $((port + 10000)) --include-dashboard false &
steps+=($!)
for name in "${nodes[@]:1}"; do
    "${step[@]}" --nodelist="$name" "${node[@]}" --address "$head:$port" &
    steps+=($!)
done
# The sweep counts its slots when it starts. To ask takes seconds of the head's cores, on which Ray starts.
until [ "$(ray status --address "$head:$port" 2> /dev/null | grep -c '^ *1 node_')" -ge "${#nodes[@]}" ]; do
    for i in "${!steps[@]}"; do
        kill -0 "${steps[i]}" 2> /dev/null || { echo "slurm.sh: Ray has ended on ${nodes[i]}; its reason stands above" >&2; exit 1; }
    done
    sleep 5
done

blurb-tune run "$spec" --set "cluster=$head:$port" --set "storage=$storage" "${@:2}" &
driver=$!
wait $driver && code=0 || code=$?
while kill -0 $driver 2> /dev/null; do  # a signal ends `wait` before the driver has ended
    wait $driver && code=0 || code=$?
done
exit $code
