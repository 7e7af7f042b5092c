/* A Modbus server on libmodbus with known contents, for tests.
 *
 * Without arguments it serves TCP: prints the port it listens on (one that the system chose) as a line, then
 * serves any number of clients until it is killed. With arguments DEVICE UNIT it is a unit of a serial line,
 * RTU at 19,200 baud without parity, and prints "ready". Contents, all set as raw registers:
 *   holding 0..199:  3 * address + 1
 *   holding 200..:   3.5 as float32, -123456 as int32, 0x7FFF
 *   input   0..99:   1000 + address
 *   coils, discrete inputs 0..63: set where the address is a multiple of 3, of 5
 * Addresses beyond are illegal.
 */
#include <errno.h>
#include <modbus/modbus.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HOLDING = 205, INPUT = 100, BITS = 64 };

static void fill(modbus_mapping_t *map)
{
    for (int i = 0; i < 200; i++)
        map->tab_registers[i] = (uint16_t)(3 * i + 1);
    map->tab_registers[200] = 0x4060; /* 3.5f = 0x40600000 */
    map->tab_registers[201] = 0x0000;
    map->tab_registers[202] = 0xFFFE; /* -123456 = 0xFFFE1DC0 */
    map->tab_registers[203] = 0x1DC0;
    map->tab_registers[204] = 0x7FFF;
    for (int i = 0; i < INPUT; i++)
        map->tab_input_registers[i] = (uint16_t)(1000 + i);
    for (int i = 0; i < BITS; i++) {
        map->tab_bits[i] = i % 3 == 0;
        map->tab_input_bits[i] = i % 5 == 0;
    }
}

static int serve_serial(const char *device, int unit, modbus_mapping_t *map)
{
    uint8_t query[MODBUS_RTU_MAX_ADU_LENGTH];
    modbus_t *context = modbus_new_rtu(device, 19200, 'N', 8, 1);

    if (context == NULL || modbus_set_slave(context, unit) != 0 || modbus_connect(context) != 0) {
        fprintf(stderr, "cannot start: %s\n", modbus_strerror(errno));
        return 1;
    }
    puts("ready");
    fflush(stdout);
    for (;;) {
        int length = modbus_receive(context, query);
        if (length > 0)
            modbus_reply(context, query, length, map);
    }
}

int main(int count, char **arguments)
{
    uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    modbus_t *context = modbus_new_tcp("127.0.0.1", 0);
    modbus_mapping_t *map = modbus_mapping_new(BITS, BITS, HOLDING, INPUT);
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    if (map != NULL)
        fill(map);
    if (map != NULL && count == 3)
        return serve_serial(arguments[1], atoi(arguments[2]), map);
    if (context == NULL || map == NULL || listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0
        || listen(listener, 8) != 0 || getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
        fprintf(stderr, "cannot start: %s\n", strerror(errno));
        return 1;
    }
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);

    fd_set all;
    int highest = listener;
    FD_ZERO(&all);
    FD_SET(listener, &all);
    for (;;) {
        fd_set ready = all;
        if (select(highest + 1, &ready, NULL, NULL, NULL) < 0)
            return 1;
        for (int fd = 0; fd <= highest; fd++) {
            if (!FD_ISSET(fd, &ready))
                continue;
            if (fd == listener) {
                int client = accept(listener, NULL, NULL);
                if (client >= 0) {
                    FD_SET(client, &all);
                    if (client > highest)
                        highest = client;
                }
                continue;
            }
            modbus_set_socket(context, fd);
            int length = modbus_receive(context, query);
            if (length > 0) {
                modbus_reply(context, query, length, map);
            } else if (length < 0) {
                close(fd);
                FD_CLR(fd, &all);
            }
        }
    }
}
