/* What is in a spool's file, put there as LMDB alone would. */
#pragma once

#include <lmdb.h>

#include "tests/support/test.h"

static inline void spool_put_value(const char *dir, uint64_t key, void *bytes, size_t n)
{
	MDB_val k = { sizeof(key), &key }, v = { n, bytes };
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_open(env, dir, 0, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &dbi), 0);
	assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
}
