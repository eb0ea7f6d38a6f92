/* How much processor time a container grants. */
#ifndef CORE_PROCESSOR_QUOTA_H
#define CORE_PROCESSOR_QUOTA_H

/* The processors that the quotas of this process's cgroups amount to, rounded up; 0 where there is none.
 * Reads `memberships` (/proc/self/cgroup) and, below `root` (/sys/fs/cgroup), cpu.max of version 2 or
 * cpu.cfs_quota_us of version 1, of the cgroup and all above it. */
int processor_quota(const char *memberships, const char *root);

#endif
