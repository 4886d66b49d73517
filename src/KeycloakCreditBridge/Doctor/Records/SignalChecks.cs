using System.Globalization;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Grants.Review;
using KeycloakCreditBridge.Grants.Review.Signals.Domains;
using KeycloakCreditBridge.Grants.Review.Signals.Origins;

namespace KeycloakCreditBridge.Doctor.Records;

/// <summary>Whether the signals of abuse can speak.</summary>
internal sealed class SignalChecks(DisposableDomains disposable, OriginStore origins, Hot<FraudRules> rules, TimeProvider clock)
{
    private const int Enough = 50;

    private static readonly TimeSpan Looked = TimeSpan.FromDays(1);

    /// <summary>None where no grants are reviewed.</summary>
    public IEnumerable<DoctorCheck> Of(IReadOnlyList<string> realms) => rules.Current.IsEnabled
        ?
        [
            new("disposable domains", null, _ => Task.FromResult(Domains())),
            .. realms.Where(realm => rules.Current.Of(realm) is not null)
                .Select(realm => new DoctorCheck("registration addresses", realm, token => OriginsAsync(realm, token))),
        ]
        : [];

    private Finding Domains()
    {
        var status = disposable.Status;
        if (status.Problem is { } problem)
        {
            return Finding.Fail(
                $"the file of Grants:Fraud:Disposable:File {problem}; the domains before it are used",
                "correct the file; it is read again by itself");
        }

        return status.List is { } list
            ? Finding.Ok(string.Create(CultureInfo.InvariantCulture, $"{list.Count} disposable domains are known"))
            : Finding.Warn(
                "no disposable domains are known, the signal is off",
                "build the program with `.ci/disposable-domains`, or name a file in Grants:Fraud:Disposable:File");
    }

    private async Task<Finding> OriginsAsync(string realm, CancellationToken cancellationToken)
    {
        var counts = (await origins.CountAsync(clock.GetUtcNow() - Looked, cancellationToken))
            .SingleOrDefault(found => found.Realm == realm);
        if (counts is null)
            return Finding.Ok("no user registered within a day");
        if (counts.BehindProxy > 0 || (counts.All > Enough && counts.Private * 2 > counts.All))
        {
            return Finding.Warn(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{counts.BehindProxy + counts.Private} of {counts.All} registrations within a day seem to come from a proxy, the "
                    + $"signals of networks are off for them"),
                "set proxy-headers of Keycloak to `xforwarded` or `forwarded`, as the proxy sends them, so that it sees users' addresses");
        }

        return counts.WithoutAddress * 2 > counts.All
            ? Finding.Warn(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{counts.WithoutAddress} of {counts.All} users that registered within a day have no event with an address, the "
                    + $"signals of networks are off for them"),
                "have the realm store REGISTER and IDENTITY_PROVIDER_FIRST_LOGIN, as `setup keycloak` does")
            : Finding.Ok("users' addresses of registrations are known");
    }
}
