using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Grants.Review.Signals.Domains;
using Microsoft.Extensions.Logging.Abstractions;

namespace KeycloakCreditBridge.Tests.Grants.Review.Signals.Domains;

/// <summary>The operator's file is read while the bridge runs, and a text that is no list changes nothing.</summary>
public sealed class DisposableDomainsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("domains").FullName;
    private readonly ManualTimeProvider _clock = new(DateTimeOffset.UnixEpoch);

    private string Own => Path.Combine(_folder, "own.txt");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_file_adds_to_the_list_of_the_program_or_replaces_it()
    {
        File.WriteAllText(Own, "own.example\n");
        Assert.Equal([true, true], Has(Domains(replace: false), "shipped.example", "own.example"));
        Assert.Equal([false, true], Has(Domains(replace: true), "shipped.example", "own.example"));
    }

    [Fact]
    public void A_changed_file_is_read_again_and_a_text_that_is_no_list_leaves_the_list_before()
    {
        File.WriteAllText(Own, "own.example\n");
        var domains = Domains(replace: false);
        Assert.Equal([true, false], Has(domains, "own.example", "new.example"));
        File.WriteAllText(Own, "new.example\n");
        _clock.Advance(TimeSpan.FromSeconds(11));
        Assert.Equal([false, true], Has(domains, "own.example", "new.example"));

        File.WriteAllText(Own, "<html>\nnew.example\n");
        _clock.Advance(TimeSpan.FromSeconds(11));
        Assert.Equal([true, true], Has(domains, "new.example", "shipped.example"));
        Assert.Contains("'<html>'", domains.Status.Problem, StringComparison.Ordinal);

        File.Delete(Own);
        _clock.Advance(TimeSpan.FromSeconds(11));
        Assert.Equal([true, true], Has(domains, "new.example", "shipped.example"));
        Assert.Contains("cannot be read", domains.Status.Problem, StringComparison.Ordinal);

        File.WriteAllText(Own, "newest.example\n");
        _clock.Advance(TimeSpan.FromSeconds(11));
        Assert.Equal([true, false], Has(domains, "newest.example", "new.example"));
        Assert.Null(domains.Status.Problem);
    }

    [Fact]
    public void Without_any_file_there_is_no_list()
    {
        var domains = new DisposableDomains(Hot.Of(new GrantsOptions()), _clock, NullLogger<DisposableDomains>.Instance)
        {
            ShippedFile = Path.Combine(_folder, "missing.json"),
        };
        Assert.Equal((null, null), (domains.Current, domains.Status.Problem));
    }

    private DisposableDomains Domains(bool replace)
    {
        var shipped = Path.Combine(_folder, "shipped.json");
        File.WriteAllText(shipped, "[\"shipped.example\"]");
        var options = new GrantsOptions { Fraud = { Disposable = new DisposableOptions { File = Own, Replace = replace } } };
        return new(Hot.Of(options), _clock, NullLogger<DisposableDomains>.Instance) { ShippedFile = shipped };
    }

    private static bool[] Has(DisposableDomains domains, params string[] named) =>
        [.. named.Select(domain => domains.Current!.Has($"ana@{domain}"))];
}
