using KeycloakCreditBridge.Grants.Review.Signals.Addresses;

namespace KeycloakCreditBridge.Tests.Grants.Review.Signals.Addresses;

/// <summary>What signals compare of addresses.</summary>
public sealed class AddressPartsTests
{
    [Theory]
    [InlineData("user1", "user9")]
    [InlineData("user9", "user10")]
    [InlineData("user10", "user99")]
    [InlineData("user101", "user199")]
    [InlineData("1ana", "22ana")]
    [InlineData("promo-a1x", "promo-a2x")]
    [InlineData("letters.a", "letters.b")]
    public void Names_of_a_series_have_the_same_rest(string one, string other) =>
        Assert.Equal(AddressParts.SeriesOf(one), AddressParts.SeriesOf(other));

    [Theory]
    [InlineData("user100", "user200")]
    [InlineData("ana.smith", "ana.smart")]
    [InlineData("user1", "users1")]
    [InlineData("1985anna", "1985anne")]
    public void Names_that_differ_by_more_have_not(string one, string other) =>
        Assert.NotEqual(AddressParts.SeriesOf(one), AddressParts.SeriesOf(other));

    [Theory]
    [InlineData("ana")]
    [InlineData("a1")]
    [InlineData("12")]
    [InlineData("")]
    public void A_short_name_belongs_to_no_series(string name) => Assert.Null(AddressParts.SeriesOf(name));

    [Fact]
    public void Parts_are_those_of_the_inbox()
    {
        Assert.Equal(new("username1@gmail.com", "gmail.com", "username?@gmail.com"), AddressParts.Of("User.Name1+tag@googlemail.com"));
        Assert.Equal(AddressParts.None, AddressParts.Of("no address"));
        Assert.Equal(AddressParts.None, AddressParts.Of(null));
    }
}
