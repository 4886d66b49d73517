using KeycloakCreditBridge.Grants.Review.Signals.Origins;
using KeycloakCreditBridge.Keycloak.Events;

namespace KeycloakCreditBridge.Tests.Grants.Review.Signals.Origins;

/// <summary>Which addresses of events tell users apart.</summary>
public sealed class OriginTests
{
    [Theory]
    [InlineData("203.0.113.7", null)]
    [InlineData("::ffff:203.0.113.7", null)]
    [InlineData("2001:db8::1", null)]
    [InlineData(null, MissingOrigins.NoAddress)]
    [InlineData("", MissingOrigins.NoAddress)]
    [InlineData("proxy.example.com", MissingOrigins.NoAddress)]
    [InlineData("12345", MissingOrigins.NoAddress)]
    [InlineData("unknown", MissingOrigins.NoAddress)]
    [InlineData("127.0.0.1", MissingOrigins.Private)]
    [InlineData("::1", MissingOrigins.Private)]
    [InlineData("10.1.2.3", MissingOrigins.Private)]
    [InlineData("172.31.0.1", MissingOrigins.Private)]
    [InlineData("192.168.1.1", MissingOrigins.Private)]
    [InlineData("100.64.0.1", MissingOrigins.Private)]
    [InlineData("::ffff:10.0.0.1", MissingOrigins.Private)]
    [InlineData("fd00::1", MissingOrigins.Private)]
    [InlineData("fe80::1%2", MissingOrigins.Private)]
    public void An_address_that_is_missing_or_private_says_nothing(string? text, string? missing)
    {
        var origin = Origin.From(new UserEvent(Type: "REGISTER", UserId: "ana", IpAddress: text))!;
        Assert.Equal(missing, origin.Missing);
        Assert.Equal(missing is null, origin.Address is not null);
    }

    [Theory]
    [InlineData("REGISTER", true)]
    [InlineData("IDENTITY_PROVIDER_FIRST_LOGIN", true)]
    [InlineData("LOGIN", false)]
    [InlineData("REGISTER_ERROR", false)]
    public void Registrations_alone_say_from_where_a_user_came(string type, bool expected) =>
        Assert.Equal(expected, Origin.From(new UserEvent(Type: type, UserId: "ana", IpAddress: "203.0.113.7")) is not null);
}
