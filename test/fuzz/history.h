/* SPDX-License-Identifier: PostgreSQL */
/*
 * The life of a small cluster as commands, one a line: what prepared states and
 * seeds are made of. Each of them is applied, none refused.
 */
#ifndef MT_TEST_FUZZ_HISTORY_H
#define MT_TEST_FUZZ_HISTORY_H

static const char *const history[] = {
    "{\"v\":1,\"c\":\"member.put\",\"member\":{\"name\":\"n1\","
    "\"raft_id\":1,\"witness\":false,\"command_version\":1,"
    "\"peer_addr\":\"10.0.0.1:7500\","
    "\"api_url\":\"http://10.0.0.1:8008/patroni\","
    "\"conn_url\":\"postgres://10.0.0.1:5432/postgres\","
    "\"tags\":\"{}\",\"version\":\"0.1.0\"}}",
    "{\"v\":1,\"c\":\"member.put\",\"member\":{\"name\":\"n2\","
    "\"raft_id\":-2,\"witness\":false,\"peer_addr\":\"10.0.0.2:7500\"}}",
    "{\"v\":1,\"c\":\"member.put\",\"member\":{\"name\":\"w\","
    "\"raft_id\":3,\"witness\":true}}",
    "{\"v\":1,\"c\":\"bootstrap.claim\",\"member\":\"n2\","
    "\"incarnation\":1}",
    "{\"v\":1,\"c\":\"bootstrap.withdraw\",\"member\":\"n2\","
    "\"incarnation\":1}",
    "{\"v\":1,\"c\":\"bootstrap.claim\",\"member\":\"n1\","
    "\"incarnation\":1}",
    "{\"v\":1,\"c\":\"cluster.initialize\",\"member\":\"n1\","
    "\"incarnation\":1,\"sysid\":\"7301234567890123456\","
    "\"ttl_ms\":30000,\"at_ms\":1700000000000,"
    "\"config\":{\"ttl\":30,\"postgresql\":{\"parameters\":"
    "{\"wal_level\":\"replica\",\"x\":[1,2.5,null,true]}}}}",
    "{\"v\":1,\"c\":\"status.put\",\"epoch\":1,\"holder\":\"n1\","
    "\"optime\":[1,50331744]}",
    "{\"v\":1,\"c\":\"sync.put\",\"epoch\":1,\"sync\":{\"leader\":"
    "\"n1\",\"version\":0,\"k\":1,\"standbys\":[{\"name\":\"n2\","
    "\"data_id\":-3},{\"name\":\"n3\",\"data_id\":4}]}}",
    "{\"v\":1,\"c\":\"config.put\",\"expect_version\":1,"
    "\"config\":{\"ttl\":20}}",
    "{\"v\":1,\"c\":\"request.put\",\"kind\":\"switchover\","
    "\"leader\":\"n1\",\"candidate\":\"n2\"}",
    "{\"v\":1,\"c\":\"request.clear\",\"id\":11,\"ok\":false,"
    "\"text\":\"Switchover failed\"}",
    "{\"v\":1,\"c\":\"request.put\",\"kind\":\"switchover\","
    "\"leader\":\"n1\",\"candidate\":\"\"}",
    "{\"v\":1,\"c\":\"leader.release\",\"epoch\":1,\"holder\":\"n1\","
    "\"clean\":true,\"end\":[1,67108904],\"why\":\"switchover\"}",
    "{\"v\":1,\"c\":\"leader.assign\",\"expect_epoch\":1,"
    "\"expect_released\":true,\"expect_sync\":1,\"ground\":4,"
    "\"holder\":\"n2\",\"ttl_ms\":20000,"
    "\"continues\":false,\"min\":[1,67108904],\"decision\":{"
    "\"id\":0,\"epoch\":0,\"at_ms\":1700000001000,"
    "\"rule\":\"switchover\",\"from\":\"n1\",\"to\":\"n2\","
    "\"why\":\"asked for\",\"verdicts\":[{\"name\":\"n2\","
    "\"rule\":\"chosen\",\"at\":[1,67108904]}]}}",
    "{\"v\":1,\"c\":\"history.put\",\"epoch\":2,\"holder\":\"n2\","
    "\"timeline\":2,\"lines\":[{\"timeline\":1,\"lsn\":67108904,"
    "\"reason\":\"no recovery target specified\",\"at_ms\":0,"
    "\"new_leader\":\"n2\"}]}",
    "{\"v\":1,\"c\":\"sync.put\",\"epoch\":2,\"sync\":{\"leader\":"
    "\"n2\",\"version\":1,\"k\":0,\"standbys\":[]}}",
    "{\"v\":1,\"c\":\"leader.assign\",\"expect_epoch\":2,"
    "\"expect_released\":false,\"expect_sync\":2,\"ground\":3,"
    "\"holder\":\"n2\",\"ttl_ms\":30000,"
    "\"continues\":true,\"min\":[2,0],\"decision\":{"
    "\"rule\":\"ttl\",\"from\":\"n2\",\"to\":\"n2\"}}",
};

#endif
