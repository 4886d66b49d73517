using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Storage.Migrations;

namespace KeycloakCreditBridge.Grants.Codes.Campaigns;

/// <summary>Makes codes, whose text is known this once, and keeps the service from running without the key of those that exist.</summary>
internal sealed class CampaignMaker(CampaignStore store, CodeHasher hasher, GrantEnds ends, TimeProvider clock) : ISchemaCondition
{
    private const string KeyIsMissing =
        "Grants:Codes:Key is missing: codes are hashed with it. Give a secret of at least 32 characters, such as `openssl rand -hex 32`.";

    /// <summary>Makes a campaign that <see cref="CampaignRules"/> finds nothing wrong with.</summary>
    /// <exception cref="ConfigurationException">There is no key.</exception>
    /// <exception cref="OlderReplicasException">A live replica does not know codes.</exception>
    public async Task<CreateResult> CreateAsync(NewCampaign wanted, CancellationToken cancellationToken)
    {
        if (!hasher.IsReady)
            throw new ConfigurationException([KeyIsMissing]);
        await ends.EnsureAsync(wanted.ExpiresAfter is not null, cancellationToken);
        string[] codes = wanted.Word is { } word
            ? [word]
            : [.. Enumerable.Range(0, wanted.Count).Select(_ => CodeText.Display(CodeText.Generate()))];
        var (outcome, older) = await store.CreateAsync(
            wanted, [.. codes.Select(hasher.OfCode)], hasher.Check, clock.GetUtcNow(), cancellationToken);
        if (older.Count > 0)
        {
            var names = string.Join(", ", older.Select(replica => $"{replica.Id} (version {replica.Version})"));
            throw new OlderReplicasException(
                $"Codes need replicas that know them, or a renamed account could redeem again. Stop these first: {names}.");
        }

        return new CreateResult(outcome, outcome == CreateOutcome.Done ? codes : []);
    }

    public async Task<string?> FindProblemAsync(CancellationToken cancellationToken) =>
        !hasher.IsReady && await store.AnyAsync(cancellationToken) ? KeyIsMissing : null;
}
