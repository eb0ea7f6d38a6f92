/* What must not outlive the program, however it ends. */
#ifndef CORE_CLEANUP_H
#define CORE_CLEANUP_H

/* Removes files that are not finished at exit and on every signal that ends the program and can be caught. A
 * signal that is ignored, or that somebody else handles, stays so. */
void cleanup_start(void);

/* `path`, which must live until cleanup_forget, is a file to be removed. Called before there is such a file.
 */
void cleanup_add(const char *path);
void cleanup_forget(const char *path);

/* What cleanup_and_fail runs once the files are removed. */
void cleanup_at_failure(void (*run)(void));

/* Ends the program now, with exit 1, from whatever thread or signal handler: removes the files and runs
 * nothing else but what was given to cleanup_at_failure. */
_Noreturn void cleanup_and_fail(void);

#endif
