using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Grants.Referrals.Touches;

/// <summary>The codes of accounts, and how their referrals are.</summary>
internal sealed class ReferralCodeStore(NpgsqlDataSource dataSource)
{
    private const int MaxAttempts = 5;

    private const string FindSql = "select r.code from referral_codes r where r.user_id = @AccountId::text";

    private const string MakeSql =
        """
        insert into referral_codes (user_id, code, created_at)
        select c.user_id, @Code::text, @Now::timestamptz from user_credits c where c.user_id = @AccountId::text and c.status <> 'closed'
        on conflict do nothing
        returning code
        """;

    private const string CountsSql =
        """
        select r.state, count(*) as referrals, coalesce(sum(r.referrer_credits) filter (where r.referrer_grant is not null), 0) as credits
        from referrals r
        where r.referrer = @AccountId::text and r.state <> 'refused'
        group by r.state
        order by r.state
        """;

    /// <summary>The account's code, which is made at the first call; null where the account is closed, or there is none.</summary>
    public async Task<string?> OfAsync(string accountId, DateTimeOffset now, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            var known = await dataSource.QueryPreparedAsync<string>(FindSql, [Account(accountId)], cancellationToken);
            if (known is [var code])
                return code;
            var made = await dataSource.QueryPreparedAsync<string>(
                MakeSql,
                [
                    Account(accountId),
                    new NpgsqlParameter("Code", NpgsqlDbType.Text) { Value = ReferralCode.New() },
                    new NpgsqlParameter("Now", NpgsqlDbType.TimestampTz) { Value = now.UtcDateTime },
                ],
                cancellationToken);
            // Nothing is made where another request made one meanwhile, another account has this code, or the account is closed.
            if (made is [var own])
                return own;
            if (attempt == MaxAttempts)
                return null;
        }
    }

    /// <summary>How many users the account referred, by state. Codes that did not count are no referrals.</summary>
    public Task<IReadOnlyList<ReferralCount>> CountsAsync(string accountId, CancellationToken cancellationToken) =>
        dataSource.QueryPreparedAsync<ReferralCount>(CountsSql, [Account(accountId)], cancellationToken);

    private static NpgsqlParameter Account(string accountId) => new("AccountId", NpgsqlDbType.Text) { Value = accountId };
}

/// <param name="Credits">What the referrer was paid for them.</param>
internal sealed record ReferralCount(string State, long Referrals, decimal Credits);
