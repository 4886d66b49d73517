using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Grants.Review;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Grants.Codes.Redemptions;

/// <summary>
/// Redeems codes. Place, redemption and grant commit together. An attempt that finds nothing is counted, in the same transaction that says
/// so.
/// </summary>
internal sealed class CodeRedeemer(
    NpgsqlDataSource dataSource, CodeHasher hasher, GrantEnds ends, IOptions<GrantsOptions> options, CodeMetrics metrics,
    TimeProvider clock, Hot<FraudRules>? review = null)
{
    /// <summary>Tries a code for the account of a user; null where there is no such account.</summary>
    /// <param name="user">The user.</param>
    /// <param name="account">The account's id; null for the one that is on record for the user.</param>
    /// <param name="code">As the user typed it.</param>
    /// <param name="cancellationToken">Ends the attempt before it is committed.</param>
    /// <exception cref="Storage.Migrations.OlderReplicasException">A live replica would spend ended credits.</exception>
    public async Task<Redemption?> RedeemAsync(
        RedeemingUser user, string? account, string code, CancellationToken cancellationToken)
    {
        var limits = options.Value.Codes;
        if (!hasher.IsReady)
            return Counted(new Redemption(RedeemOutcome.Refused));
        // Whatever the code: before anything is known of it, and with no second connection while one is held.
        await ends.EnsureAsync(hasEnd: true, cancellationToken);
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        if (await RedemptionStore.LockAsync(connection, user, account, cancellationToken) is not { } locked)
            return null;
        var attempt = new RedeemAttempt(user, locked, hasher.OfCode(code), hasher.OfNetwork(user.Address));
        var tried = await RedemptionStore.TryAsync(
            connection, attempt, limits, ends, cancellationToken, reviewed: review?.Current.Of(user.Realm) is not null);
        if (tried is { IsNew: true, State: RedemptionStates.Paid })
        {
            await GrantStore.GiveAsync(
                connection, [RedemptionStore.GrantOf(locked, tried.Id!.Value, tried.Terms, tried.At)], clock.GetUtcNow(),
                cancellationToken);
        }

        await transaction.CommitAsync(cancellationToken);
        return Counted(Of(tried, limits) with { AccountId = locked });
    }

    private static Redemption Of(TriedCode tried, CodesOptions limits)
    {
        if (tried.Own >= limits.FailuresPerUser)
            return Limited(RedeemOutcome.UserLimited, tried, tried.OwnSince, RedemptionStore.ShortTime);
        if (tried.Id is { } id)
        {
            var outcome = tried switch
            {
                { State: RedemptionStates.Held } => RedeemOutcome.Held,
                { IsNew: true } => RedeemOutcome.Paid,
                _ => RedeemOutcome.PaidBefore,
            };
            return new Redemption(outcome)
            {
                GrantKey = $"{RedemptionStore.KeyPrefix}{id}", Terms = tried.Terms, Requires = tried.Requires!.Split(',',
                    StringSplitOptions.RemoveEmptyEntries),
            };
        }

        if (tried.Network >= limits.FailuresPerNetwork)
            return Limited(RedeemOutcome.NetworkLimited, tried, tried.NetworkSince, RedemptionStore.ShortTime);
        return tried.Realm >= limits.FailuresPerRealm
            ? Limited(RedeemOutcome.RealmLimited, tried, tried.RealmSince, RedemptionStore.LongTime)
            : new Redemption(RedeemOutcome.Refused);
    }

    private static Redemption Limited(RedeemOutcome outcome, TriedCode tried, DateTimeOffset? since, TimeSpan time) =>
        new(outcome) { Wait = since!.Value + time - tried.At };

    private Redemption Counted(Redemption redemption)
    {
        metrics.Tried(redemption.Outcome);
        return redemption;
    }
}
