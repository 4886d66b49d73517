using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Credits.Ledger;

/// <summary>Moves a balance, writes its ledger row and keeps the Idempotency-Key, all in one statement.</summary>
internal sealed class CreditChangeStore(NpgsqlDataSource dataSource)
{
    // The conditions name `c`, the row as it is once its lock is held, and not `target`, which may be older by then: fifty charges at once
    // each see what the one before left. A twin under the same key that this statement did not see yet breaks the primary key of
    // idempotency_keys: then all of it is undone, and the next try finds `earlier`.
    private const string ChangeSql =
        $"""
        with earlier as (
            select body_hash, answer from idempotency_keys where caller = @Caller::text and key = @Key::text
        ),
        target as ({BalanceStore.SelectedAccount}),
        moved as (
            update user_credits c
            set credits_remaining = c.credits_remaining + @Amount::numeric(20, 6), updated_at = @Now::timestamptz
            from target t
            where c.user_id = t.user_id and not exists (select from earlier)
                and (c.status = 'active' or c.status = 'held' and @Amount >= 0)
                and (@Amount >= 0 or c.unlimited or c.credits_remaining + @Amount >= 0)
            returning c.*
        ),
        entry as (
            insert into credit_transactions (user_id, amount, balance_after, transaction_type, provider, model, tokens_used, cost, metadata, created_at)
            select user_id, @Amount, credits_remaining, @Type::text, @Service::text, @Model::text, @Tokens::integer, @Cost::numeric(20, 6),
                @Metadata::jsonb, @Now
            from moved
            returning id, amount, balance_after, cost
        ),
        audited as (
            insert into audit_logs (timestamp, user_id, action, result, resource_type, resource_id, metadata, ip_address)
            select @Now, user_id, @Action::text, 'success', 'user_credits', user_id,
                @Metadata || jsonb_build_object('amount', @Amount::numeric(20, 6)::text, 'balance', credits_remaining::text), @Address::text
            from moved
            where @Action is not null
        ),
        said as (
            select case when @AnswersEntry::boolean
                then jsonb_build_object('id', e.id, 'user_id', c.user_id, 'service', @Service, 'model', @Model, 'tokens', @Tokens,
                    'cost', e.cost::text, 'charged', (-e.amount)::text, 'is_free', @Metadata -> 'is_free', 'balance', e.balance_after::text,
                    'metadata', @Metadata, 'created_at', to_char(@Now at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'))
                else {BalanceStore.BalanceJson} end as answer
            from moved c cross join entry e
        ),
        kept as (
            insert into idempotency_keys (caller, key, body_hash, answer, kept_at)
            select @Caller, @Key, @Hash::bytea, answer, @Now from said where @Key is not null
        )
        select (select body_hash from earlier) as earlier_hash,
            coalesce((select answer from earlier), (select answer from said))::text as answer,
            t.user_id as account_id, t.status, t.status_reason, t.credits_remaining as balance, coalesce(t.unlimited, false) as unlimited
        from (select {BalanceInvalidationStore.SuppressNotify}) as one
        left join target t on true
        """;

    /// <summary>Tries once.</summary>
    /// <exception cref="PostgresException">Among others a unique violation: the key was just used by another request.</exception>
    public async Task<CreditChangeResult> TryWriteAsync(CreditChange move, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var rows = await dataSource.QueryPreparedAsync<CreditChangeResult>(
            ChangeSql,
            [
                .. move.Reach.Parameters(),
                Value("Amount", NpgsqlDbType.Numeric, move.Amount),
                Value("Type", NpgsqlDbType.Text, move.Type),
                Value("Service", NpgsqlDbType.Text, move.Service),
                Value("Model", NpgsqlDbType.Text, move.Model),
                Value("Tokens", NpgsqlDbType.Integer, move.Tokens),
                Value("Cost", NpgsqlDbType.Numeric, move.Cost),
                Value("Metadata", NpgsqlDbType.Jsonb, move.Metadata),
                Value("Action", NpgsqlDbType.Text, move.Action),
                Value("Address", NpgsqlDbType.Text, move.Address),
                Value("AnswersEntry", NpgsqlDbType.Boolean, move.AnswersEntry),
                Value("Caller", NpgsqlDbType.Text, move.CallerKey),
                Value("Key", NpgsqlDbType.Text, move.Key),
                Value("Hash", NpgsqlDbType.Bytea, move.Hash),
                Value("Now", NpgsqlDbType.TimestampTz, now.UtcDateTime),
            ],
            cancellationToken);
        return rows[0];
    }

    private static NpgsqlParameter Value(string name, NpgsqlDbType type, object? value) => new(name, type) { Value = value ?? DBNull.Value };
}
