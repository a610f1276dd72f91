#!/bin/sh
# What people do today: scale to 0, a Job that migrates, a Job that verifies, scale up; each awaited by kubectl.
# Says after each part when it ended, in milliseconds since 1970.
#
# script.sh NAMESPACE DEPLOYMENT SELECTOR CONTAINER=IMAGE REPLICAS MIGRATE.json VERIFY.json
set -eu
namespace=$1 deployment=$2 selector=$3 image=$4 replicas=$5 migrate=$6 verify=$7
k() { kubectl -n "$namespace" "$@" >/dev/null; }
mark() { echo "$1 $(date +%s%3N)"; }

mark begin
k scale deployment "$deployment" --replicas=0
k wait --for=delete pod --selector="$selector" --timeout=120s
mark drain
k create -f "$migrate"
k wait --for=condition=complete job/migrate --timeout=300s
mark migrate
k create -f "$verify"
k wait --for=condition=complete job/verify --timeout=300s
mark verify
k set image deployment "$deployment" "$image"
k scale deployment "$deployment" --replicas="$replicas"
k rollout status deployment "$deployment" --timeout=120s
mark start
