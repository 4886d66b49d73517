using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Awards;
using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Grants.Codes.Redemptions;
using KeycloakCreditBridge.Grants.Policy;
using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Grants.Review;
using KeycloakCreditBridge.Grants.Review.Holds;
using KeycloakCreditBridge.Grants.Review.Signals;
using KeycloakCreditBridge.Provisioning.Policy;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Provisioning.Review;

/// <summary>
/// Says which users' grants are held back, and as what. Where nothing is reviewed, nothing is read. Signals are asked before the
/// transaction that pays, all of a batch together.
/// </summary>
internal sealed class GrantReview(
    Assessor assessor, Hot<FraudRules> rules, Hot<GrantPolicy> policies, IOptions<GrantsOptions> options)
{
    // What stands for an inbox where no grant is given once for an address.
    private readonly ClaimKeys _keys = new(
        options.Value.Fraud.Key, options.Value.Fraud.PreviousKeys, new InboxRules());

    /// <summary>What exemptions need beside the user itself; null where the realm's grants are not reviewed.</summary>
    public NeededEvidence? EvidenceOf(string realm) => rules.Current.Of(realm) is { } terms
        ? NeededEvidence.Nothing with { IdentityProviders = terms.NeedsIdentityProviders, Groups = terms.NeedsGroups }
        : null;

    /// <summary>The verdicts on users with a grant that is due, by realm and id.</summary>
    public async Task<IReadOnlyDictionary<(string Realm, string KeycloakId), Verdict>> OfAsync(
        IReadOnlyCollection<(DesiredState State, AccountFacts? Facts)> users, CancellationToken cancellationToken)
    {
        Dictionary<(string Realm, string KeycloakId), Verdict> verdicts = [];
        List<(DesiredState State, Candidate Candidate, FraudTerms Terms)> asked = [];
        var current = rules.Current;
        foreach (var (state, facts) in users)
        {
            if (state.Grants is not { } user || current.Of(state.Realm) is not { } terms)
                continue;
            if (!user.IsReadInFull && user.Email is null)
                verdicts[(state.Realm, state.KeycloakId)] = new(ReviewOutcome.Undecided, Assessment.Clean, terms);
            else
                asked.Add((state, CandidateOf(state, user, facts), terms));
        }

        if (asked.Count == 0)
            return verdicts;
        var assessments = await assessor.AssessAsync([.. asked.Select(item => item.Candidate)], cancellationToken);
        foreach (var (state, candidate, terms) in asked)
        {
            var verdict = Verdict.Of(assessments.GetValueOrDefault(candidate.AccountId) ?? Assessment.Clean, terms);
            // What exempts the user may not be read yet.
            if (!verdict.IsPaid && !state.Grants!.IsReadInFull
                && ((terms.NeedsGroups && state.Grants.Groups is null)
                    || (terms.NeedsIdentityProviders && state.Grants.IdentityProviders is null)))
                verdict = verdict with { Outcome = ReviewOutcome.Undecided };
            verdicts[(state.Realm, state.KeycloakId)] = verdict;
        }

        return verdicts;
    }

    /// <summary>The hold of a grant that a policy would give.</summary>
    public NewHold HoldOf(Verdict verdict, GrantUser user, Award award) => HoldOf(
        verdict, user, award.Key, award.Policy, award.Version, award.Choice.Credits, new HoldTerms(
            award.Source, award.Choice.ExpiresAfter, award.Choice.Rule, award.Choice.Budget, award.Choice.Terms, award.Evidence));

    /// <summary>The hold of a redeemed code, whose place stays taken.</summary>
    public NewHold HoldOf(Verdict verdict, GrantUser user, HeldRedemption code, string source) => HoldOf(
        verdict, user, $"{RedemptionStore.KeyPrefix}{code.CodeId}", $"{RedemptionStore.KeyPrefix}{code.Campaign}", null, code.Credits,
        new HoldTerms(source, code.ExpiresAfter));

    /// <summary>The hold of any grant.</summary>
    public NewHold HoldOf(
        Verdict verdict, GrantUser user, string key, string policy, string? version, decimal credits, HoldTerms terms) => new(
        user.Realm, user.KeycloakId, key, policy, version, credits, terms,
        policies.Current.RulesOf(user.Realm).ClaimOf(user.Email, OncePer.Inbox) ?? _keys.Of(OncePer.Inbox, user.Email),
        verdict.Assessment.Score, JsonSerializer.Serialize(verdict.Assessment.Hits, SignalJson.Default.IReadOnlyListSignalHit),
        verdict.Outcome == ReviewOutcome.Refuse, verdict.Terms!.LapseAfter, verdict.Terms.Lapse == LapseVerdict.Approve);

    private static Candidate CandidateOf(DesiredState state, GrantUser user, AccountFacts? facts) => new(
        state.Realm, state.KeycloakId, state.AccountId ?? state.KeycloakId, user.Email, user.EmailVerified, user.CreatedAt ?? state.ReadAt,
        user.IdentityProviders ?? [], user.Groups ?? [],
        state.Policies!.IsInvited(facts?.Attribution ?? user.Registration?.Attribution));
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(IReadOnlyList<SignalHit>))]
internal sealed partial class SignalJson : JsonSerializerContext;
