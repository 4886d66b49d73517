using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Grants.Awards;

/// <summary>What the bridge holds about accounts, as far as grants depend on it.</summary>
internal sealed class AccountFactsStore(NpgsqlDataSource dataSource)
{
    // While a policy is disabled nothing of it is owed, so that no evaluation asks Keycloak for more.
    private const string Facts =
        """
        c.created_at as opened_at, case when p.disabled_at is null then c.withheld_credits end as withheld,
            case when c.withheld_credits is not null then coalesce(c.withheld_before, (
                select t.amount from credit_transactions t where t.user_id = c.user_id and t.grant_key = 'signup'), 0)
            else 0 end as opened_with,
            (select string_agg(g.grant_key, ' ') from (
                select t.grant_key from credit_transactions t
                where t.user_id = c.user_id and t.grant_key >= 'task:' and t.grant_key < 'task;'
                union all
                select t.grant_key from credit_transactions t
                where @TopUps::boolean and t.user_id = c.user_id and t.grant_key >= 'topup:' and t.grant_key < 'topup;'
                union all
                select t.grant_key from credit_transactions t where t.user_id = c.user_id and t.grant_key = 'welcome') g) as given,
            (select string_agg(s.grant_key, ' ') from stopped_grants s where s.user_id = c.user_id) as stopped,
            (select string_agg(e.kind || ' ' || e.task || ' ' || (extract(epoch from e.seen_at) * 1000000)::bigint, ',')
                from task_evidence e where e.user_id = c.user_id) as evidence,
            case when exists (
                select from credit_transactions t
                where c.first_spend_at is not null and t.user_id = c.user_id and t.transaction_type = 'usage' and t.amount < 0
                    and t.metadata ->> 'by' is distinct from c.keycloak_id) then c.first_spend_at end as first_usage_at,
            case when c.withheld_credits is not null then (
                select to_jsonb(a)::text from attributions a where a.user_id = c.user_id) end as attribution,
            coalesce(c.source, 'adoption') in ('adoption', 'backfill') as opened_by_hand,
            case when c.withheld_credits is not null then (
                select to_jsonb(x)::text from (
                    select a.experiment, a.version, a.arm, a.bucket, a.credits, a.expires_after
                    from experiment_assignments a where a.realm = c.realm and a.keycloak_id = c.keycloak_id
                    order by a.assigned_at, a.experiment limit 1) x) end as arm
        """;

    // What earlier steps of the welcome came to, pro-rating too, of accounts that the welcome concerns.
    private const string Welcomed =
        """
        c.tier, case when @TopUps and c.withheld_credits is null and p.disabled_at is null and c.created_at >= p.activated_at then (
            select sum(t.amount) from credit_transactions t
            where t.user_id = c.user_id and (t.grant_key in ('signup', 'welcome') or t.grant_key >= 'topup:' and t.grant_key < 'topup;'
                or t.grant_key is null and t.transaction_type = 'adjustment' and t.metadata ->> 'reason' = 'tier_switch')) end as welcomed
        """;

    private const string FactsSql =
        $"""
        select w.realm, w.keycloak_id, {Facts}, {Welcomed}, (
                select string_agg(g.kind || ' ' || g.policy, ',')
                from (
                    select * from grant_claims e where e.kind = 'email' and e.hash = w.email_hash
                    union all
                    select * from grant_claims i where i.kind = 'inbox' and i.hash = w.inbox_hash) g
                where g.first_user <> c.user_id and (g.policy = 'welcome' or g.policy like 'task:%')) as taken
        from unnest(@Realms::text[], @KeycloakIds::text[], @EmailHashes::bytea[], @InboxHashes::bytea[])
            as w (realm, keycloak_id, email_hash, inbox_hash)
        join keycloak_users k on k.realm = w.realm and k.keycloak_id = w.keycloak_id
        join user_credits c on c.user_id = k.account_id and c.realm = k.realm and c.keycloak_id = k.keycloak_id
        left join grant_policies p on p.realm = w.realm and p.policy = 'welcome'
        """;

    private const string OfAccountSql =
        $"""
        select c.realm, c.keycloak_id, {Facts}, {Welcomed}, null as taken
        from user_credits c
        left join grant_policies p on p.realm = c.realm and p.policy = 'welcome'
        where c.user_id = @AccountId::text and c.keycloak_id is not null and c.status <> 'closed'
        """;

    /// <summary>The facts of users that have an account.</summary>
    /// <param name="users">The users.</param>
    /// <param name="topsUp">Whether a rule pays more to users whose welcome is decided.</param>
    /// <param name="cancellationToken">Ends the query.</param>
    public async Task<IReadOnlyDictionary<(string Realm, string KeycloakId), AccountFacts>> ReadAsync(
        IReadOnlyCollection<GrantUser> users, bool topsUp, CancellationToken cancellationToken)
    {
        var rows = await dataSource.QueryPreparedAsync<FactsRow>(
            FactsSql,
            [
                users.Column("Realms", NpgsqlDbType.Text, user => user.Realm),
                users.Column("KeycloakIds", NpgsqlDbType.Text, user => user.KeycloakId),
                new NpgsqlParameter("TopUps", NpgsqlDbType.Boolean) { Value = topsUp },
                users.Column("EmailHashes", NpgsqlDbType.Bytea, user => user.EmailClaim?.Hash),
                users.Column("InboxHashes", NpgsqlDbType.Bytea, user => user.InboxClaim?.Hash),
            ],
            cancellationToken);
        return rows.ToDictionary(row => (row.Realm, row.KeycloakId), FactsOf);
    }

    /// <summary>The user and the facts of an account; null where it has no user, or is closed.</summary>
    public async Task<(string Realm, string KeycloakId, AccountFacts Facts)?> OfAccountAsync(
        string accountId, CancellationToken cancellationToken)
    {
        var rows = await dataSource.QueryPreparedAsync<FactsRow>(
            OfAccountSql,
            [
                new NpgsqlParameter("AccountId", NpgsqlDbType.Text) { Value = accountId },
                new NpgsqlParameter("TopUps", NpgsqlDbType.Boolean) { Value = false },
            ],
            cancellationToken);
        return rows is [var row] ? (row.Realm, row.KeycloakId, FactsOf(row)) : null;
    }

    private static AccountFacts FactsOf(FactsRow row)
    {
        var evidence = (row.Evidence ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries).Select(item => item.Split(' '))
            .ToLookup(
                parts => parts[0], parts => (Task: parts[1], At: Instant(long.Parse(parts[2], CultureInfo.InvariantCulture))),
                StringComparer.Ordinal);
        return new AccountFacts(row.OpenedAt, row.Withheld, row.OpenedWith)
        {
            Tier = row.Tier,
            Welcomed = row.Welcomed,
            Taken = (row.Taken ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries).Select(claim => claim.Split(' '))
                .Select(parts => (parts[0] == ClaimKinds.Email ? OncePer.Email : OncePer.Inbox, parts[1])).ToHashSet(),
            FirstUsageAt = row.FirstUsageAt,
            IsOpenedByHand = row.OpenedByHand,
            Arm = row.Arm is { } arm ? JsonSerializer.Deserialize(arm, AttributionJson.Default.StoredArm)!.ToArm() : null,
            Attribution = row.Attribution is { } claim ? JsonSerializer.Deserialize(claim, AttributionJson.Default.Attribution) : null,
            Given = (row.Given ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries).ToHashSet(StringComparer.Ordinal),
            Stopped = (row.Stopped ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries).ToHashSet(StringComparer.Ordinal),
            Reported = evidence["reported"].ToDictionary(item => item.Task, item => item.At, StringComparer.Ordinal),
            Settling = evidence["settling"].ToDictionary(item => item.Task, item => item.At, StringComparer.Ordinal),
        };
    }

    private static DateTimeOffset Instant(long microseconds) => DateTimeOffset.UnixEpoch.AddMicroseconds(microseconds);

    private sealed record FactsRow(
        string Realm, string KeycloakId, DateTimeOffset OpenedAt, decimal? Withheld, decimal OpenedWith, string? Given,
        string? Stopped, string? Evidence, DateTimeOffset? FirstUsageAt, string? Attribution, bool OpenedByHand,
        string? Arm, string? Tier, decimal? Welcomed, string? Taken);
}

/// <summary>An assignment as the record has it.</summary>
/// <param name="ExpiresAfter">Seconds.</param>
internal sealed record StoredArm(
    string Experiment, int Version, string Arm, int Bucket, decimal Credits,
    [property: JsonPropertyName("expires_after")] double? ExpiresAfter)
{
    public WelcomeArm ToArm() => new(
        Experiment, Version, Arm, Bucket, Credits, ExpiresAfter is { } seconds ? TimeSpan.FromSeconds(seconds) : null);
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(Attribution))]
[JsonSerializable(typeof(StoredArm))]
internal sealed partial class AttributionJson : JsonSerializerContext;
