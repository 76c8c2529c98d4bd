// Loaded before a program (LD_PRELOAD): refuses to talk to any other machine, and writes down that it was asked to. Lines of the file
// that NETWORK_GUARD_LOG names: "loaded PROGRAM" for each process, "refused CALL ADDRESS" for each try.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void write_down(const char* what, const char* detail) {
  const char* path = getenv("NETWORK_GUARD_LOG");
  const int file = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
  if (file < 0) abort();  // a guard that cannot speak would pass everything
  char line[300];
  const int length = snprintf(line, sizeof line, "%s %s\n", what, detail);
  if (write(file, line, (size_t)length) != length) abort();
  close(file);
}

__attribute__((constructor)) static void begin(void) { write_down("loaded", program_invocation_short_name); }

static int same_host(const struct sockaddr* a, const struct sockaddr* b) {
  if (a->sa_family != b->sa_family) return 0;
  if (a->sa_family == AF_INET) {
    return ((const struct sockaddr_in*)a)->sin_addr.s_addr == ((const struct sockaddr_in*)b)->sin_addr.s_addr;
  }
  return memcmp(&((const struct sockaddr_in6*)a)->sin6_addr, &((const struct sockaddr_in6*)b)->sin6_addr, 16) == 0;
}

// Loopback and what this machine is called on its networks.
static int is_here(const struct sockaddr* address) {
  if (address->sa_family == AF_INET) {
    const unsigned host = ntohl(((const struct sockaddr_in*)address)->sin_addr.s_addr);
    if (host >> 24 == 127 || host == 0) return 1;
  } else if (address->sa_family == AF_INET6) {
    const struct in6_addr* host = &((const struct sockaddr_in6*)address)->sin6_addr;
    if (IN6_IS_ADDR_LOOPBACK(host) || IN6_IS_ADDR_UNSPECIFIED(host)) return 1;
  } else {
    return 1;  // of this machine alone
  }
  struct ifaddrs* all = NULL;
  int found = 0;
  if (getifaddrs(&all) == 0) {
    for (const struct ifaddrs* one = all; one && !found; one = one->ifa_next) {
      found = one->ifa_addr && same_host(one->ifa_addr, address);
    }
    freeifaddrs(all);
  }
  return found;
}

static int refuse(const char* call, const struct sockaddr* address) {
  if (!address || is_here(address)) return 0;
  char host[INET6_ADDRSTRLEN] = "";
  const void* bytes = address->sa_family == AF_INET ? (const void*)&((const struct sockaddr_in*)address)->sin_addr
                                                    : (const void*)&((const struct sockaddr_in6*)address)->sin6_addr;
  inet_ntop(address->sa_family, bytes, host, sizeof host);
  char what[40];
  snprintf(what, sizeof what, "refused %s", call);
  write_down(what, host);
  errno = ENETUNREACH;
  return 1;
}

int connect(int socket, const struct sockaddr* address, socklen_t length) {
  int (*real)(int, const struct sockaddr*, socklen_t) = dlsym(RTLD_NEXT, "connect");
  return refuse("connect", address) ? -1 : real(socket, address, length);
}

ssize_t sendto(int socket, const void* data, size_t size, int flags, const struct sockaddr* address, socklen_t length) {
  ssize_t (*real)(int, const void*, size_t, int, const struct sockaddr*, socklen_t) = dlsym(RTLD_NEXT, "sendto");
  return refuse("sendto", address) ? -1 : real(socket, data, size, flags, address, length);
}

ssize_t sendmsg(int socket, const struct msghdr* message, int flags) {
  ssize_t (*real)(int, const struct msghdr*, int) = dlsym(RTLD_NEXT, "sendmsg");
  return refuse("sendmsg", message->msg_name) ? -1 : real(socket, message, flags);
}

// A name of another machine is a question to a server of names. Addresses and names of this machine are not.
int getaddrinfo(const char* name, const char* service, const struct addrinfo* hints, struct addrinfo** result) {
  int (*real)(const char*, const char*, const struct addrinfo*, struct addrinfo**) = dlsym(RTLD_NEXT, "getaddrinfo");
  struct in6_addr bytes;
  char own[256] = "";
  gethostname(own, sizeof own - 1);
  if (name && inet_pton(AF_INET, name, &bytes) != 1 && inet_pton(AF_INET6, name, &bytes) != 1 && strcmp(name, "localhost") != 0 &&
      strcmp(name, own) != 0) {
    write_down("refused getaddrinfo", name);
    return EAI_FAIL;
  }
  return real(name, service, hints, result);
}
