/* A disk that takes its time: every fsync and fdatasync lasts so many microseconds longer.
   Promise: what the process reads and writes is untouched; only the waiting is added, after the real flush. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static void linger(void) {
  const char *told = getenv("SLOW_FLUSH_US");
  long micros = told ? atol(told) : 0;
  struct timespec rest = {micros / 1000000, (micros % 1000000) * 1000};
  if (micros > 0) clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, NULL);
}

static int flush(const char *name, int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  int answer = real(fd);
  linger();
  return answer;
}

int fsync(int fd) { return flush("fsync", fd); }
int fdatasync(int fd) { return flush("fdatasync", fd); }
