/* version.h - what keyway calls itself.
 *
 * KW_REDIS_VERSION is the server version told to clients (HELLO, INFO): drivers choose by it which
 * commands they send, so it is the version whose commands the table covers.
 * Thread: any. Memory: none.
 */
#ifndef KW_BASE_VERSION_H
#define KW_BASE_VERSION_H

#define KW_VERSION "0.1.0"
#define KW_REDIS_VERSION "7.0.15"

#endif
