using System.Globalization;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Grants.Codes.Redemptions;

/// <summary>Takes places of codes, and gives them back.</summary>
internal static class RedemptionStore
{
    /// <summary>The time of the limits of users and networks.</summary>
    public static readonly TimeSpan ShortTime = TimeSpan.FromMinutes(15);

    /// <summary>The time of the limit of a realm.</summary>
    public static readonly TimeSpan LongTime = TimeSpan.FromHours(1);

    // One user's attempts go one after the other, so that none of their limits is passed.
    private const string LockSql =
        """
        select c.user_id
        from user_credits c
        where c.user_id = coalesce(@Account::text, (
                select k.account_id from keycloak_users k where k.realm = @Realm::text and k.keycloak_id = @KeycloakId::text), @KeycloakId)
            and (@Account is not null or c.realm = @Realm and c.keycloak_id = @KeycloakId)
        for no key update
        """;

    private static readonly string RedeemSql = SqlText.Of(typeof(RedemptionStore), "RedemptionStore.Redeem.sql");

    /// <summary>Locks an account until the transaction ends, and returns its id; null where there is none.</summary>
    /// <param name="connection">In a transaction.</param>
    /// <param name="user">The user whose account it is.</param>
    /// <param name="account">Its id; null where it is the one on record for the user.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static async Task<string?> LockAsync(
        NpgsqlConnection connection, RedeemingUser user, string? account, CancellationToken cancellationToken) =>
        (await connection.QueryPreparedAsync<string>(
            LockSql,
            [
                new("Account", NpgsqlDbType.Text) { Value = account ?? (object)DBNull.Value },
                new("Realm", NpgsqlDbType.Text) { Value = user.Realm },
                new("KeycloakId", NpgsqlDbType.Text) { Value = user.KeycloakId },
            ],
            cancellationToken)) is [var locked]
            ? locked
            : null;

    /// <summary>Tries a code for an account.</summary>
    /// <param name="connection">In a transaction that holds the account's lock.</param>
    /// <param name="attempt">What is tried.</param>
    /// <param name="limits">Of failures.</param>
    /// <param name="ends">The clock.</param>
    /// <param name="cancellationToken">Ends the statement.</param>
    /// <param name="reviewed">Whether the place is held until the user was reviewed.</param>
    public static async Task<TriedCode> TryAsync(
        NpgsqlConnection connection, RedeemAttempt attempt, CodesOptions limits, GrantEnds ends, CancellationToken cancellationToken,
        bool reviewed = false) =>
        (await connection.QueryPreparedAsync<TriedCode>(
            RedeemSql,
            [
                GrantEnds.AtOf(ends),
                new("Realm", NpgsqlDbType.Text) { Value = attempt.User.Realm },
                new("KeycloakId", NpgsqlDbType.Text) { Value = attempt.User.KeycloakId },
                new("Account", NpgsqlDbType.Text) { Value = attempt.AccountId },
                new("Hash", NpgsqlDbType.Bytea) { Value = attempt.Hash },
                new("Network", NpgsqlDbType.Bytea) { Value = attempt.Network ?? (object)DBNull.Value },
                new("ShortTime", NpgsqlDbType.Interval) { Value = ShortTime },
                new("LongTime", NpgsqlDbType.Interval) { Value = LongTime },
                new("Reviewed", NpgsqlDbType.Boolean) { Value = reviewed },
                new("OwnLimit", NpgsqlDbType.Integer) { Value = limits.FailuresPerUser },
                new("NetworkLimit", NpgsqlDbType.Integer) { Value = limits.FailuresPerNetwork },
                new("RealmLimit", NpgsqlDbType.Integer) { Value = limits.FailuresPerRealm },
            ],
            cancellationToken))[0];

    /// <summary>The grant that a redemption pays.</summary>
    /// <param name="account">The account.</param>
    /// <param name="code">The code's id.</param>
    /// <param name="terms">Of its campaign.</param>
    /// <param name="at">When it is paid: its end counts from then.</param>
    public static NewGrant GrantOf(string account, Guid code, CodeTerms terms, DateTimeOffset at) => new(
        account, $"{KeyPrefix}{code}", terms.Credits, "bonus", $$"""{"reason":"code","campaign":"{{terms.Campaign}}"}""",
        new GrantStamp(
            Lots.GrantCategory.Promotional, ExpiresAt: at + terms.ExpiresAfter, Policy: $"{KeyPrefix}{terms.Campaign}",
            PolicyVersion: terms.CampaignId.ToString(CultureInfo.InvariantCulture),
            Evidence: $$"""{"campaign":"{{terms.Campaign}}","code":"{{code}}"}"""));

    /// <summary>Begins the key of a grant, before the code's id, and the name of a policy, before the campaign's.</summary>
    public const string KeyPrefix = "code:";
}

/// <param name="Hash">Of the code that was sent.</param>
/// <param name="Network">A keyed hash; null where the address is unknown.</param>
internal sealed record RedeemAttempt(RedeemingUser User, string AccountId, byte[] Hash, byte[]? Network);

/// <summary>Whose attempt it is.</summary>
/// <param name="Address">From where it came; null where that is unknown.</param>
internal sealed record RedeemingUser(string Realm, string KeycloakId, System.Net.IPAddress? Address);

/// <summary>What a campaign pays. Its name has no character that JSON escapes.</summary>
internal sealed record CodeTerms(long CampaignId, string Campaign, decimal Credits, TimeSpan? ExpiresAfter);

/// <summary>What an attempt came to.</summary>
/// <param name="At">The time that was compared.</param>
/// <param name="Own">Failures of the user before, up to the limit.</param>
/// <param name="OwnSince">The first of them.</param>
/// <param name="Id">The code whose place the account has; null where it has none.</param>
/// <param name="Requires">Names, by comma.</param>
/// <param name="State">`paid` or `held`.</param>
/// <param name="IsNew">Whether the place was taken now.</param>
internal sealed record TriedCode(
    DateTimeOffset At, long Own, DateTimeOffset? OwnSince, long Network, DateTimeOffset? NetworkSince, long Realm,
    DateTimeOffset? RealmSince, Guid? Id, string? Campaign, long? CampaignId, decimal? Credits, TimeSpan? ExpiresAfter, string? Requires,
    string? State, bool? IsNew)
{
    public CodeTerms Terms => new(CampaignId!.Value, Campaign!, Credits!.Value, ExpiresAfter);
}
