using System.Net;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Codes;
using KeycloakCreditBridge.Grants.Policy.Settings;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Grants.Codes;

/// <summary>Settings of codes, and what their key hashes.</summary>
public sealed class CodesOptionsTests
{
    [Fact]
    public void Codes_need_no_setting_where_they_are_not_used() =>
        Assert.True(new CodesOptionsValidator().Validate(null, new GrantsOptions()).Succeeded);

    [Fact]
    public void All_faults_are_listed_with_their_keys()
    {
        var result = new CodesOptionsValidator().Validate(null, new GrantsOptions
        {
            Codes = new CodesOptions { Key = "short", FailuresPerUser = 0, FailuresPerNetwork = -1, FailuresPerRealm = 100_001 },
        });
        Assert.Collection(
            result.Failures!,
            fault => Assert.StartsWith("Grants:Codes:Key has 5 characters", fault, StringComparison.Ordinal),
            fault => Assert.StartsWith("Grants:Codes:FailuresPerUser is 0", fault, StringComparison.Ordinal),
            fault => Assert.StartsWith("Grants:Codes:FailuresPerNetwork is -1", fault, StringComparison.Ordinal),
            fault => Assert.StartsWith("Grants:Codes:FailuresPerRealm is 100001", fault, StringComparison.Ordinal));
        Assert.DoesNotContain("short", string.Join(' ', result.Failures!), StringComparison.Ordinal);
    }

    [Fact]
    public void Another_key_hashes_everything_otherwise_and_a_code_is_never_a_network()
    {
        var (one, other) = (Hasher('a'), Hasher('b'));
        Assert.Equal(one.OfCode("abcd-efgh"), one.OfCode("ABCDEFGH"));
        Assert.NotEqual(one.OfCode("ABCD"), other.OfCode("ABCD"));
        Assert.NotEqual(one.Check, other.Check);
        Assert.Equal(one.OfNetwork(IPAddress.Parse("192.0.2.1")), one.OfNetwork(IPAddress.Parse("192.0.2.200")));
        Assert.NotEqual(one.OfNetwork(IPAddress.Parse("192.0.2.1")), one.OfCode("C00002"));
        Assert.Null(one.OfNetwork(null));
    }

    private static CodeHasher Hasher(char key) =>
        new(Options.Create(new GrantsOptions { Codes = new CodesOptions { Key = new string(key, 32) } }));
}
