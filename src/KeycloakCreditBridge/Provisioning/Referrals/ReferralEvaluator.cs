using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Grants.Referrals;
using KeycloakCreditBridge.Grants.Referrals.Payments;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Provisioning.Subjects;
using KeycloakCreditBridge.Storage.Sessions;
using Npgsql;

namespace KeycloakCreditBridge.Provisioning.Referrals;

/// <summary>Evaluates referrals that are due. Keycloak is asked about both users only where its answer decides.</summary>
internal sealed partial class ReferralEvaluator(
    NpgsqlDataSource dataSource, ReferralBook book, ReferralActivation activation, SubjectReader subjects, Hot<ReferralRules> rules,
    Hot<GrantPolicy> policies, TimeProvider clock, ILogger<ReferralEvaluator> logger)
{
    public const int MostAtOnce = 100;

    // A replica that is killed leaves its referrals to the others after that.
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(2);

    /// <summary>How many referrals were due.</summary>
    public async Task<int> EvaluateAsync(CancellationToken cancellationToken)
    {
        if (rules.Current.IsEmpty)
            return 0;
        var now = clock.GetUtcNow();
        await ReferralStore.WakeAsync(dataSource, now, cancellationToken);
        var due = await ReferralStore.ClaimAsync(dataSource, now, Lease, MostAtOnce, cancellationToken);
        foreach (var referral in due)
        {
            if (referral.Realm is { } realm && await activation.TermsAsync(realm, cancellationToken) is { } terms)
                await EvaluateAsync(referral.Id, realm, terms, cancellationToken);
        }

        return due.Count;
    }

    /// <summary>Evaluates one referral.</summary>
    public async Task EvaluateAsync(Guid id, string realm, ReferralTerms terms, CancellationToken cancellationToken)
    {
        if (await book.NextAsync(id, terms, cancellationToken) is not var (facts, step))
            return;
        try
        {
            var users = step.AsksKeycloak
                ? new ReferralUsers(
                    await UserAsync(realm, facts.ReferrerUser!, cancellationToken),
                    await UserAsync(realm, facts.RefereeUser!, cancellationToken))
                : null;
            await book.CarryOutAsync(id, users, terms, cancellationToken);
        }
        catch (Exception exception) when (exception is KeycloakException or PostgresException)
        {
            // It stays as it is, and is evaluated again when the lease is over. The others go on.
            LogNotEvaluated(id, PrivilegeErrors.Describe(exception));
        }
    }

    private async Task<ReferralUser?> UserAsync(string realm, string id, CancellationToken cancellationToken) =>
        await subjects.ReadAsync(policies.Current, realm, id, cancellationToken, Grants.Policy.NeededEvidence.Nothing) is { } subject
            ? new ReferralUser(
                subject is { EmailVerified: true, Email.Length: > 0, IsServiceAccount: false }, ReferralInbox.Of(subject.Email))
            {
                Claim = policies.Current.RulesOf(realm).ClaimOf(subject, OncePer.Inbox),
            }
            : null;

    [LoggerMessage(EventId = 428, Level = LogLevel.Warning,
        Message = "Referral {Id} is not evaluated, which is repeated within minutes: {Reason}")]
    private partial void LogNotEvaluated(Guid id, string reason);
}
