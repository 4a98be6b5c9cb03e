#!/bin/bash
# Stops what start.sh started, and forgets its jobs.
scancel --user="$(id -un)" 2>/dev/null
for _ in $(seq 20); do [ -z "$(squeue -h 2>/dev/null)" ] && break; sleep 0.5; done
for f in /run/slurmd.pid /run/slurmctld.pid /run/munge/munged.pid; do
  [ -f $f ] || continue; p=$(cat $f); kill "$p" 2>/dev/null
  for _ in $(seq 20); do kill -0 "$p" 2>/dev/null || break; sleep 0.5; done
done
rm -rf /var/spool/slurmctld/* /var/spool/slurmd/*
