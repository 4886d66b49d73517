using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Grants.Policy;
using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Grants.Referrals;
using KeycloakCreditBridge.Grants.Referrals.Payments;
using KeycloakCreditBridge.Grants.Review.Holds;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Provisioning.Review;
using KeycloakCreditBridge.Provisioning.Subjects;
using KeycloakCreditBridge.Storage.Sessions;
using Npgsql;

namespace KeycloakCreditBridge.Provisioning.Referrals;

/// <summary>Evaluates referrals that are due. Keycloak is asked about both users only where its answer decides.</summary>
internal sealed partial class ReferralEvaluator(
    NpgsqlDataSource dataSource, ReferralBook book, ReferralActivation activation, SubjectReader subjects, Hot<ReferralRules> rules,
    Hot<GrantPolicy> policies, TimeProvider clock, ILogger<ReferralEvaluator> logger, GrantReview? review = null)
{
    public const int MostAtOnce = 100;

    // A replica that is killed leaves its referrals to the others after that.
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(2);

    private ReferralTurn _turn = ReferralTurn.First;

    /// <summary>How many referrals were due.</summary>
    public async Task<int> EvaluateAsync(CancellationToken cancellationToken)
    {
        if (rules.Current.IsEmpty)
            return 0;
        var now = clock.GetUtcNow();
        _turn = await WakeStore.WakeAsync(dataSource, _turn, now, cancellationToken);
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
            await book.CarryOutAsync(
                id, step.AsksKeycloak ? await UsersAsync(realm, facts, terms, cancellationToken) : null, terms, cancellationToken);
        }
        catch (Exception exception) when (exception is KeycloakException or PostgresException)
        {
            // It stays as it is, and is evaluated again when the lease is over. The others go on.
            LogNotEvaluated(id, PrivilegeErrors.Describe(exception));
        }
    }

    private async Task<ReferralUsers> UsersAsync(
        string realm, ReferralFacts facts, ReferralTerms terms, CancellationToken cancellationToken)
    {
        var policy = policies.Current;
        var evidence = review?.EvidenceOf(realm) ?? NeededEvidence.Nothing;
        var referrer = await subjects.ReadAsync(policy, realm, facts.ReferrerUser!, cancellationToken, evidence);
        var referee = await subjects.ReadAsync(policy, realm, facts.RefereeUser!, cancellationToken, evidence);
        // What the referee is at identity providers counts where something may be paid.
        var identities = facts.SettlesAt is not null && referee is not null && policy.RulesOf(realm).CanClaim
            ? await subjects.IdentitiesAsync(realm, referee.KeycloakId, cancellationToken) : [];
        var users = new ReferralUsers(UserOf(policy, referrer, []), UserOf(policy, referee, identities));
        // It is reviewed once, before it is paid. Both get something: the one that more speaks against decides.
        if (review is null || facts.SettlesAt is null || facts.Review is not null || referrer is null || referee is null)
            return users;
        var now = clock.GetUtcNow();
        DesiredState[] states = [.. new[] { referee, referrer }.Select(user => policy.Evaluate(user, now, HintSources.Schedule))];
        var verdicts = await review.OfAsync([.. states.Select(state => (state, (AccountFacts?)null))], cancellationToken);
        return verdicts.Values.Where(verdict => verdict.IsHeld).MaxBy(verdict => verdict.Assessment.Score) is { } verdict
            ? users with
            {
                Hold = review.HoldOf(
                    verdict, states[0].Grants!, ReferralTerms.ReceivedKey, ReferralTerms.Policy, terms.Version, 0m,
                    new HoldTerms(HintSources.Schedule, terms.ExpiresAfter)),
            }
            : users;
    }

    private static ReferralUser? UserOf(GrantPolicy policy, Subject? user, IReadOnlyList<FederatedIdentity> identities)
    {
        if (user is null)
            return null;
        var rules = policy.RulesOf(user.Realm);
        var isVerified = user.EmailVerified && !user.IsServiceAccount && !string.IsNullOrEmpty(user.Email);
        return new ReferralUser(isVerified, ReferralInbox.Of(user.Email))
        {
            Claims = [
                .. rules.ClaimOf(user, OncePer.Inbox) is { } inbox ? [inbox] : Array.Empty<Claim>(),
                .. rules.ClaimsOf(user.Realm, identities),
            ],
        };
    }

    [LoggerMessage(EventId = 428, Level = LogLevel.Warning,
        Message = "Referral {Id} is not evaluated, which is repeated within minutes: {Reason}")]
    private partial void LogNotEvaluated(Guid id, string reason);
}
