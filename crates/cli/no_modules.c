/*
 * In place of the C library's own function, by the linker: no module is loaded into a program that is linked statically.
 *
 * A host's nsswitch.conf may name modules to look up hosts and users with. They need the C library that the program was linked
 * with, and end it with a signal if the host has another one. Without them the next source is asked, such as /etc/hosts and DNS.
 */
void *__wrap___libc_dlopen_mode(const char *name, int mode);

void *__wrap___libc_dlopen_mode(const char *name, int mode)
{
	(void)name;
	(void)mode;
	return 0;
}
