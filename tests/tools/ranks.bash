# What the tests of several processes share: what Open MPI must be told here, and how they are started.

ranks_environment() {
    export OMPI_MCA_btl_base_warn_component_unused=0 OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_btl=self,vader
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    export ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 # Open MPI does not free all that it takes
}

need_mpi() {
    if [ ! -e "$(dirname "$(command -v pm-cat)")/../lib/pm-mpi.so" ]; then skip "built without MPI"; fi
}

# ranks N COMMAND…
ranks() {
    local count=$1
    shift
    mpirun -n "$count" "$@"
}
